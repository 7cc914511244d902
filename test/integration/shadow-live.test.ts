import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freshPair, type TestDatabase } from '../harness/database.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import { Workplace } from './cli-run.ts';
import { controlWorkplace, editedMapping, Traffic } from './control-workplace.ts';

/** Sessions that wait for one that makes a shadow. */
const WAITING = `select a.application_name from pg_stat_activity a
  cross join unnest(pg_blocking_pids(a.pid)) as blocker (pid)
  join pg_stat_activity b on b.pid = blocker.pid
  where a.datname = current_database() and b.application_name in ('tandem shadow', 'tandem verify')`;

const place = async (target: TestDatabase) =>
  (await target.query(`select (position::pg_lsn - '0/0')::bigint as at from tandem.position`))[0]?.[
    'at'
  ];

test('a stream under traffic goes on beside a shadow, waits for nothing of it, and loses nothing', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  const { target } = pair;
  await pair.source.query(`insert into patient select i, 10 + i % 40, 'patient ' || i, i % 200
    from generate_series(100000, 130000) as i`);
  await using child = new TandemProcess(['run'], work.environment);
  await waitFor(async () => (await target.query('select from patients')).length > 30_000, {
    what: `the stream: ${child.output}`,
    timeoutMs: 60_000,
  });
  using edited = new Workplace(
    editedMapping(work, ['name: root.name, height', `name: (root.name ?? '') + '!', height`]),
  );
  await using traffic = new Traffic(pair);
  await traffic.rounds(5);
  const before = await place(target);
  let isOver = false;
  const run = edited.run('reprocess', '--all', '--into-shadow', 'preview');
  const over = run.finally(() => (isOver = true));
  const waiting: unknown[] = [];
  while (!isOver) {
    waiting.push(...(await target.query(WAITING)));
    await pause(10);
  }
  const { code, out, err } = await over;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(waiting).toEqual([]);
  expect(Number(await place(target))).toBeGreaterThan(Number(before));
  // Whatever came meanwhile: of one moment, so every patient differs in the one column.
  const [counts] = await target.query(
    `select count(*)::int as rows, count(*) filter (where name like '%!')::int as marked from preview.patients`,
  );
  expect(counts?.['marked']).toBe(counts?.['rows']);
  expect(out).toContain(`name: differs in ${Number(counts?.['rows']).toLocaleString('en')}`);

  await traffic[Symbol.asyncDispose]();
  await waitFor(
    async () => (await work.run('status', '--caught-up', '--timeout', '20s')).code === 0,
    { what: `the stream: ${child.output}`, timeoutMs: 60_000 },
  );
  const proof = await work.run('verify');
  expect(proof.code, proof.out + proof.err).toBe(0);
  expect(await child.stop()).toBe(0);
}, 180_000);
