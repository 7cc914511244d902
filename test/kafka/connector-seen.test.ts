import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../cli/clock.ts';
import { watchConnector } from '../../cli/connector/watch-connector.ts';
import { ConnectRest } from '../../connectors/debezium/connect-rest.ts';
import type { Facts, Observer } from '../../core/ports.ts';
import { freshPair, type TestPair } from '../harness/database.ts';
import { freePort } from '../../demo/servers/free-port.ts';
import { valueOf, waitForValue } from '../harness/scrape.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import type { Workplace } from '../integration/cli-run.ts';
import { ConnectBench, mappingOf } from './connect-bench.ts';

let bench: ConnectBench;

beforeAll(async () => {
  bench = await ConnectBench.start();
}, 600_000); // the first time ever, Maven fetches them

afterEach(() => bench.clean());

test('check finds a deployed connector right, and names each setting that loses something', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  const right = await work.check();
  expect(right.of('kafka: connector')).toMatchObject({ status: 'ok' });
  expect(right.of('kafka: connector setting')).toMatchObject({ status: 'ok' });

  await bench.configure(work, {
    'decimal.handling.mode': 'double',
    'skipped.operations': 'd',
    transforms: '',
  });
  const { code, out } = await work.run('check', '--json');
  expect(code).toBe(1);
  const { checks } = JSON.parse(out) as { checks: { name: string; found: string; mend: string }[] };
  const found = checks.filter(({ name }) => name === 'connector setting');
  expect(found.map((it) => [it.found, it.mend.split(';')[0]])).toEqual([
    ['decimal.handling.mode: double', 'decimal.handling.mode=string'],
    ['skipped.operations: d', 'skipped.operations=none'],
  ]);
  expect((await work.run('connector', 'deploy')).out).toMatch(/connector +changed .*skipped/);
  expect((await work.check()).of('kafka: connector setting')).toMatchObject({ status: 'ok' });
});

test('check names the columns that messages cannot carry, and refuses them where rows are not read again', async () => {
  await using pair = await freshPair();
  using work = await bench.workplace(pair);
  await pair.source.query('alter table patient alter column name type text[] using array[name]');
  const noted = await work.check();
  expect(noted.of('kafka: values')).toMatchObject({ status: 'ok' });
  expect(noted.of('kafka: values').found).toContain('patient.name (an array)');
  const refused = await work.check('--kafka-reread', 'false');
  expect(refused.of('kafka: values')).toMatchObject({ status: 'failure' });
  expect(noted.of('kafka: connector')).toMatchObject({ status: 'warning' });
  const unreachable = await work.check('--connect-url', 'http://127.0.0.1:1');
  expect(unreachable.of('kafka: connector')).toMatchObject({ status: 'failure' });
});

test('a task that fails is in status, metrics and the log, and so is that it runs again', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  const events: string[] = [];
  const over = new AbortController();
  const watching = watch(work, over.signal, (name, facts) => {
    events.push([name, ...Object.values(facts)].join(' '));
  });
  const told = (text: string) =>
    waitFor(async () => events.some((it) => it.includes(text)), {
      what: `${text} among ${events.join('; ')}`,
      timeoutMs: 30_000,
    });
  await told('connector runs');
  await bench.setTopicLimit(work, 'public.office', 2_000);
  await fillOffice(pair);
  await told('task 0 RecordTooLargeException');
  const status = await work.run('status');
  expect(status.out).toMatch(/^connector .* RUNNING on .*restart\n +task 0: FAILED on .*TooLarge/m);
  const json = JSON.parse((await work.run('status', '--json')).out) as Record<string, unknown>;
  expect(json['connector']).toMatchObject({ kind: 'there', status: { tasks: [{ id: 0 }] } });

  await bench.setTopicLimit(work, 'public.office', 1_000_000);
  await work.run('connector', 'restart');
  events.length = 0;
  await told('connector runs');
  await bench.rest('DELETE', work.environment['CONNECTOR_NAME'] ?? '');
  await told('connector missing');
  over.abort();
  await watching;
});

test('a process that serves metrics asks Connect whenever it is asked itself', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  const port = await freePort();
  const settings = { METRICS_PORT: String(port), MAPPING: mappingOf(work) };
  // It waits for the slot, which the connector reads.
  await using run = new TandemProcess(['run'], { ...work.environment, ...settings });
  await waitForValue(port, 'tandem_connector_state{state="running"}', 1);
  await waitForValue(port, 'tandem_connector_task_state{task="0",state="running"}', 1);
  await bench.rest('DELETE', work.environment['CONNECTOR_NAME'] ?? '');
  await waitForValue(port, 'tandem_connector_state{state="missing"}', 1);
  expect(await valueOf(port, 'tandem_connector_task_state{task="0",state="running"}')).toBeNull();
  await run.logged('streaming');
});

function watch(
  work: Workplace,
  signal: AbortSignal,
  event: (name: string, facts: Facts) => void,
): Promise<void> {
  const observer: Observer = {
    event: (name, facts = {}) => event(name, facts),
    progress: () => undefined,
    batch: () => undefined,
  };
  const place = { url: bench.servers.connect.url, login: null };
  const rest = new ConnectRest({ place, clock: systemClock });
  const connector = work.environment['CONNECTOR_NAME'] ?? '';
  return watchConnector({ rest, connector, observer, clock: systemClock, signal, everyMs: 100 });
}

async function fillOffice({ source }: TestPair): Promise<void> {
  await source.query(`insert into office
    select 1, string_agg(md5(i::text), ''), null from generate_series(1, 1000) i`);
}
