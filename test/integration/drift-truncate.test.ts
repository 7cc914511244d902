import { expect, test } from 'vitest';
import type { TruncateAction } from '../../core/truncate-policy.ts';
import { DriftBench } from '../harness/drift-bench.ts';
import { PLAIN, VISITED } from '../harness/drift-mapping.ts';
import { waitFor } from '../harness/wait-for.ts';

const PATIENT = ['id', 'office_id', 'name', 'story'];
const policy = (otherwise: TruncateAction, patient?: TruncateAction) => ({
  otherwise,
  tables: new Map<string, TruncateAction>(patient === undefined ? [] : [['patient', patient]]),
});

async function stopped(bench: DriftBench, otherwise: TruncateAction): Promise<void> {
  bench.onTruncate(policy(otherwise));
  await using running = await bench.run(VISITED);
  await bench.caughtUp();
  await bench.source.query('truncate patient, visit');
  await bench.source.query(
    `insert into patient (id, name) values (1, 'back'), (5000, 'new'); insert into visit values (1, 1, 'v')`,
  );
  await bench.source.query(`insert into office (id, name) values (9000, 'open')`);
  await bench.state('patient', 'stopped');
  await bench.caughtUp();
  await running.stop();
}

test('a truncate of two tables stops both, also over a restart; offices go on; followed, they are read again', async () => {
  await using bench = await DriftBench.open();
  await stopped(bench, 'stop');
  expect(await bench.entityStates()).toMatchObject({
    office: 'active',
    patient: 'stopped',
    visit: 'stopped',
  });
  await bench.expectMirror('office', ['id', 'name', 'note']);
  {
    await using again = await bench.run(VISITED);
    await bench.caughtUp();
    expect(await bench.state('visit', 'stopped')).toMatchObject({ cause: 'truncate' });
    await again.stop();
  }
  bench.onTruncate(policy('apply'));
  await using running = await bench.run(VISITED);
  await bench.state('patient', 'active');
  await bench.state('visit', 'active');
  await bench.caughtUp();
  await bench.expectMirror('patient', PATIENT);
  await bench.expectMirror('visit', ['id', 'patient_id', 'words']);
  await bench.expectTarget();
  await running.stop();
}, 60_000);

test('each table has its own: one stops, the other is followed at once; what is ignored keeps its rows', async () => {
  await using bench = await DriftBench.open();
  bench.onTruncate(policy('apply', 'stop'));
  {
    await using running = await bench.run(VISITED);
    await bench.caughtUp();
    await bench.source.query('truncate patient, visit');
    await bench.source.query(`insert into patient (id, name) values (1, 'back'), (5000, 'new')`);
    await bench.state('patient', 'stopped');
    await bench.caughtUp();
    await bench.expectMirror('visit', ['id', 'patient_id', 'words']);
    await running.stop();
  }
  bench.onTruncate(policy('apply', 'ignore'));
  await using running = await bench.run(VISITED);
  await bench.state('patient', 'active');
  await bench.caughtUp();
  expect(
    await bench.target.query('select count(*)::int as n from legacy.patient where not _deleted'),
  ).toEqual([{ n: 2001 }]);
  expect(await bench.target.query('select name from legacy.patient where id = 1')).toEqual([
    { name: 'back' },
  ]);
  await running.stop();
}, 60_000);

test('a truncate while the table is read beside the stream starts the reading over', async () => {
  await using bench = await DriftBench.open();
  bench.onTruncate(policy('apply'));
  {
    await using running = await bench.run(PLAIN);
    await bench.caughtUp();
    await running.stop();
  }
  // Held where its first chunk is to be merged.
  const holder = await bench.target.client();
  await holder.query(`select pg_advisory_lock(hashtextextended('tandem table visit', 0))`);
  await using running = await bench.run(VISITED);
  await bench.state('visit', 'joining');
  const waiting = `select 1 from pg_locks where locktype = 'advisory' and not granted`;
  await waitFor(async () => (await bench.target.query(waiting)).length > 0, {
    what: 'a chunk to wait',
    timeoutMs: 30_000,
  });
  await bench.source.query(`truncate visit; insert into visit values (3, 3, 'after')`);
  await waitFor(async () => bench.notes.named('truncate').length > 0, {
    what: 'the truncate to arrive',
    timeoutMs: 30_000,
  });
  await holder.query(`select pg_advisory_unlock_all()`);
  await bench.state('visit', 'active');
  await bench.caughtUp();
  await bench.expectMirror('visit', ['id', 'patient_id', 'words']);
  await running.stop();
}, 150_000);
