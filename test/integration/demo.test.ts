import { afterEach, expect, test } from 'vitest';
import {
  expectNothingLeft,
  processesOf,
  startDemo,
  stopDemos,
  untilSaid,
} from '../harness/demo-process.ts';
import { waitFor } from '../harness/wait-for.ts';

const LIMIT_MS = 240_000;

afterEach(stopDemos);

const count = (text = '') => Number(text.replaceAll(',', ''));

test(
  'the demo shows every step, its account adds up, and it leaves nothing behind',
  async () => {
    const demo = await startDemo('--scale', 'small', '--seconds', '3');
    const code = await demo.ended;
    const output = demo.output();
    expect(code, output).toBe(0);

    for (let step = 1; step <= 11; step++) expect(output).toContain(`${step}/11  `);
    expect(output).toMatch(
      /\d of 3 s: lag (\d+(\.\d\d)? s|not known yet) and [\d.]+ \w+, legacy system \d+ changes\/s/,
    );
    expect(output).toMatch(/caught up with [0-9A-F]+\/[0-9A-F]+/);
    expect(output).toMatch(/offices are invalid, and still there/);
    expect(output).toMatch(/tandem run ended by itself with exit code 0, after [0-4]\.\d\d s/);

    expect(output).toMatch(/source and copy +27 tables, [\d,]+ rows: the same/);
    expect(output).toMatch(/both sides agree; [\d,]+ legacy rows are accounted for/);
    const rows = [...output.matchAll(/^ {2}(\w+)((?: +[\d,]+){7})$/gm)];
    expect(rows.length).toBeGreaterThanOrEqual(15);
    for (const [line, entity, cells = ''] of rows) {
      const [source, mirror, ...outcomes] = cells.trim().split(/ +/).map(count);
      expect(source, line).toBe(mirror);
      const [applied = 0, held = 0, quarantined = 0, left = 0] = outcomes;
      expect(applied + held + quarantined + left, line).toBe(mirror);
      if (entity !== 'order_type') expect(source, line).toBeGreaterThan(0);
    }

    const control = [...output].filter((letter) =>
      /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(letter),
    );
    expect(control).toEqual([]);
    expect(output).not.toMatch(/postgresql:\/\/|[0-9a-f]{24}/); // connection strings, passwords
    await expectNothingLeft(demo);
  },
  LIMIT_MS,
);

test(
  'Ctrl-C in the middle of the backfill takes everything down',
  async () => {
    const demo = await startDemo('--scale', 'medium');
    await untilSaid(demo, '$ tandem backfill');
    const isRunning = async () =>
      (await processesOf(demo)).some((line) => line.includes('tandem.mjs backfill'));
    await waitFor(isRunning, { what: 'the backfill' });
    demo.child.kill('SIGINT');
    expect(await demo.ended, demo.output()).toBe(130);
    expect(demo.output()).toMatch(/Interrupted: .*\n.*nothing is left running/);
    await expectNothingLeft(demo);
  },
  LIMIT_MS,
);

test(
  'a command that dies is a failure of the demo, which says so and takes everything down',
  async () => {
    const demo = await startDemo('--seconds', '60');
    await untilSaid(demo, 'of 60 s: lag');
    const [run = ''] = (await processesOf(demo)).filter((line) => line.includes('tandem.mjs run'));
    process.kill(Number.parseInt(run, 10), 'SIGKILL');
    expect(await demo.ended, demo.output()).toBe(1);
    expect(demo.output()).toMatch(/FAILED {2}tandem run ended early by SIGKILL/);
    await expectNothingLeft(demo);
  },
  LIMIT_MS,
);

test('a command line that cannot be is refused before anything is started', async () => {
  const demo = await startDemo('--scale', 'huge');
  expect(await demo.ended).toBe(2);
  expect(demo.output()).toMatch(/small, medium, full/);
});
