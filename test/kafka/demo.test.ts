import { afterEach, beforeAll, expect, test } from 'vitest';
import { fetchPart } from '../../demo/servers/kafka/fetch-part.ts';
import {
  expectNothingLeft,
  processesOf,
  startDemo,
  stopDemos,
  untilSaid,
} from '../harness/demo-process.ts';

const LIMIT_MS = 360_000;

beforeAll(async () => {
  for (const part of ['kafka', 'postgresSource', 'avroConverter'] as const) await fetchPart(part);
}, 600_000); // the first time ever, Maven fetches them

afterEach(stopDemos);

test(
  'the demo goes through Kafka, survives the death of its consumer, and goes back to the slot',
  async () => {
    const demo = await startDemo('--through', 'kafka', '--seconds', '1');
    const code = await demo.ended;
    const output = demo.output();
    expect(code, output).toBe(0);

    for (let step = 1; step <= 16; step++) expect(output).toContain(`${step}/16  `);
    expect(output).toMatch(/connector +made +tandem/);
    expect(output).toMatch(/tandem\.public\.dispatch_task +3 +[1-9][\d,]*\n/);
    expect(output).toMatch(/at most [1-9][\d,]* messages waited in the log/);
    expect(output).toMatch(/source and copy +27 tables, [\d,]+ rows: the same/);
    expect(output).toMatch(/drained: .*\n +\$ kill \d+\n +\$ tandem run\n/);
    expect(output).toMatch(/ok {2}a change that was made after the switch has arrived/);
    expect(output).not.toMatch(/postgresql:\/\//);
    await expectNothingLeft(demo);
  },
  LIMIT_MS,
);

test(
  'the demo goes through Kafka by the relay, too; killed, it leaves neither a database nor a broker behind',
  async () => {
    const demo = await startDemo('--through', 'relay', '--seconds', '1');
    await untilSaid(demo, '11/16  ');
    const output = demo.output();
    expect(output).toMatch(/\$ tandem relay\n/);
    expect(output).toMatch(/tandem\.public\.dispatch_task +3 +[1-9][\d,]*\n/);
    expect(output).not.toMatch(/connect +http/);
    const javas = (await processesOf(demo)).filter((line) => line.includes('kafka'));
    expect(javas.length).toBeGreaterThanOrEqual(1);
    demo.child.kill('SIGKILL');
    await demo.ended;
    await expectNothingLeft(demo);
  },
  LIMIT_MS,
);
