import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../../demo/servers/free-port.ts';
import { freshPair, type TestDatabase, type TestPair } from '../harness/database.ts';
import { startProxy } from '../harness/proxy.ts';
import { scrape, valueOf, waitForStatus, waitForValue } from '../harness/scrape.ts';
import { tandem, TandemProcess, type Settings } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import { smallWorkplace } from './cli-small-mapping.ts';

/** Offices and patients, two of whom name an office that is not there. */
const ROWS = `
  alter table patient drop constraint patient_office_id_fkey;
  insert into office select i, 'office ' || i from generate_series(1, 20) as i;
  insert into patient select i, i % 20 + 1, 'patient ' || i from generate_series(1, 98) as i;
  insert into patient values (99, 901, 'x'), (100, 902, 'y');`;

const SOFT_DELETES = `
  alter table public.offices add column deleted_at timestamptz;
  alter table public.patients add column deleted_at timestamptz;`;

async function prepare(pair: TestPair, more: Settings = {}) {
  const work = await smallWorkplace(pair);
  work.write('migrations/20260102000000_soft_deletes.sql', SOFT_DELETES);
  await pair.source.query(ROWS);
  const port = await freePort();
  const settings: Settings = {
    ...work.environment,
    MAPPING: join(work.folder, 'mapping.ts'),
    HEARTBEAT_SECONDS: '1',
    METRICS_PORT: String(port),
    ...more,
  };
  return { port, settings, [Symbol.dispose]: () => work[Symbol.dispose]() };
}

const countOf = async (database: TestDatabase, sql: string): Promise<number> =>
  Number((await database.query(`select count(*)::int as n from ${sql}`))[0]?.['n']);

test('what is scraped while changes flow agrees with the databases', async () => {
  await using pair = await freshPair();
  const { source, target } = pair;
  using place = await prepare(pair);
  const { port, settings } = place;
  await using child = new TandemProcess(['run'], settings);
  await waitForStatus(port, '/healthz', 200);
  await waitForStatus(port, '/readyz', 200);
  expect(await valueOf(port, 'tandem_backfill_done_rows{stage="load",subject="patient"}')).toBe(
    100,
  );
  expect(await valueOf(port, 'tandem_backfill_done_rows{stage="derive",subject="patient"}')).toBe(
    100,
  );
  await waitForValue(port, 'tandem_account_rows{entity="patient",outcome="source"}', 100);
  expect(await valueOf(port, 'tandem_account_rows{entity="patient",outcome="applied"}')).toBe(
    await countOf(target, 'public.patients'),
  );
  expect(await valueOf(port, 'tandem_account_difference_rows{entity="patient"}')).toBe(0);

  for (let i = 101; i <= 140; i++) {
    await source.query('insert into patient values ($1, $2, $3)', [i, (i % 20) + 1, 'new']);
  }
  await source.query(`update patient set name = 'other' where id <= 30`);
  await source.query('delete from patient where id between 31 and 35');
  await source.query('insert into patient values (200, 903, $1)', ['z']);
  const caughtUp = await tandem(['status', '--caught-up', '--timeout', '30s'], settings);
  expect({ ...caughtUp, log: child.output }).toMatchObject({ code: 0 });

  const changed = (operation: string) =>
    valueOf(port, `tandem_changes_total{table="patient",operation="${operation}"}`);
  expect(await Promise.all(['create', 'update', 'delete'].map(changed))).toEqual([41, 30, 5]);
  const ended = (outcome: string) =>
    valueOf(port, `tandem_rows_total{entity="patient",outcome="${outcome}"}`);
  expect(await Promise.all(['applied', 'removed'].map(ended))).toEqual([71, 5]);
  const unresolved = await countOf(target, 'tandem.unresolved');
  expect(unresolved).toBe(3);
  await waitForValue(port, 'tandem_waiting_rows{list="unresolved",entity="patient"}', unresolved);
  expect(await valueOf(port, 'tandem_open_jobs')).toBe(await countOf(target, 'tandem.job'));
  expect(await valueOf(port, 'tandem_entity_state{entity="patient",state="active"}')).toBe(1);
  expect(await valueOf(port, 'tandem_slot_state{state="active"}')).toBe(1);
  expect(await valueOf(port, 'tandem_lag_seconds')).toBeLessThan(10);
  expect(await valueOf(port, 'tandem_heartbeat_delay_seconds_count')).toBeGreaterThan(0);

  // A proof of another process.
  expect((await tandem(['verify'], settings)).code).toBe(0);
  for (const proof of ['mirror', 'target', 'account']) {
    await waitForValue(port, `tandem_proof_last_pass_mismatches{proof="${proof}"}`, 0);
  }
  const endedAt = await valueOf(port, 'tandem_proof_last_pass_timestamp_seconds{proof="mirror"}');
  expect(Math.abs(Date.now() / 1000 - (endedAt ?? 0))).toBeLessThan(60);

  const refused = await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' });
  expect([refused.status, (await scrape(port, '/secret'))?.status]).toEqual([405, 404]);
  const start = performance.now();
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
  expect(performance.now() - start).toBeLessThan(4_000);
}, 120_000);

test('a source that cannot be reached makes the target not ready, and back makes it ready', async () => {
  await using pair = await freshPair();
  const { hostname, port: serverPort } = new URL(pair.source.connectionString);
  await using proxy = await startProxy({ host: hostname, port: Number(serverPort) });
  using place = await prepare(pair, {
    SOURCE_URL: proxy.through(pair.source.connectionString),
    READY_SECONDS: '4',
  });
  const { port, settings } = place;
  await using child = new TandemProcess(['run'], settings);
  await waitForStatus(port, '/readyz', 200);
  await proxy.close();
  const body = await waitFor(
    async () => {
      const answer = await waitForStatus(port, '/readyz', 503);
      return answer.includes('source') ? answer : null;
    },
    { what: 'the cause to be known', timeoutMs: 20_000 },
  );
  expect(JSON.parse(body)).toMatchObject({ ready: false, missing: [{ what: 'heartbeat' }] });
  expect(body).toMatch(/the limit is 4 s; the source cannot be asked: SOURCE_UNREACHABLE/);
  expect((await scrape(port, '/healthz'))?.status).toBe(200);
  expect(await valueOf(port, 'tandem_database_up{side="source"}')).toBe(0);
  expect(await valueOf(port, 'tandem_database_up{side="target"}')).toBe(1);
  expect(await valueOf(port, 'tandem_slot_retained_bytes')).toBeNull();
  expect(await valueOf(port, 'tandem_lag_seconds')).toBeGreaterThan(4);
  const interruptions = 'tandem_interruptions_total{code="SOURCE_UNREACHABLE"}';
  expect(await valueOf(port, interruptions)).toBeGreaterThan(0);
  await proxy.refuse(false);
  await waitForStatus(port, '/readyz', 200);
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
}, 120_000);

test('a backfill can be looked at while it is at work, and its port is free afterwards', async () => {
  await using pair = await freshPair();
  using place = await prepare(pair);
  const { port, settings } = place;
  expect(await tandem(['setup'], settings)).toMatchObject({ code: 0 });
  const blocker = await pair.target.client();
  await blocker.query('begin; lock table legacy.patient in share row exclusive mode');
  await using child = new TandemProcess(['backfill'], settings);
  const missing = await waitFor(
    async () => {
      const { missing } = JSON.parse(await waitForStatus(port, '/readyz', 503)) as {
        missing: { what: string; detail: string }[];
      };
      return missing.some(({ what }) => what === 'load') ? missing : null;
    },
    { what: 'the load to be missing' },
  );
  expect(missing).toContainEqual({ what: 'derive', detail: 'not derived yet: office, patient' });
  await waitForValue(port, 'tandem_mirror_tables{state="loading"}', 2);
  await blocker.query('commit');
  expect(await child.exited, child.output).toBe(0);
  expect(await scrape(port, '/healthz')).toBeNull();
}, 60_000);

test('a port that is taken is an error that says so, before anything is touched', async () => {
  await using pair = await freshPair();
  using place = await prepare(pair);
  const { port, settings } = place;
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  try {
    const { code, output } = await tandem(['run'], settings);
    expect(code).toBe(1);
    expect(output).toContain(
      `error: PORT_UNAVAILABLE host=127.0.0.1 port=${port} reason=EADDRINUSE`,
    );
    expect(output).toMatch(/next: .*METRICS_PORT/);
  } finally {
    other.close();
  }
  const schemas = `pg_namespace where nspname in ('tandem', 'legacy')`;
  expect(await countOf(pair.target, schemas)).toBe(0);
});
