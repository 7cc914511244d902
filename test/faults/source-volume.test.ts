import { existsSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import { expectCaughtUp, smallWorld } from '../harness/source-world.ts';
import { TandemProcess } from '../harness/tandem-process.ts';

/** By hand: `TEST_ROWS=1000000 TEST_TRANSACTIONS=20000`. */
const ROWS = Number(process.env['TEST_ROWS'] ?? 150_000);
const TRANSACTIONS = Number(process.env['TEST_TRANSACTIONS'] ?? 3_000);
const LIMIT_MB = 300; // the default of MEMORY_LIMIT

/** The most that the process has had resident, in MB; where the system does not tell, what it has. */
function peakMb(pid: number): number {
  const status = `/proc/${pid}/status`;
  if (existsSync(status)) {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1]) / 1024;
  }
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
}

/** The two servers count and add up: nothing of a million rows comes here. */
async function expectSameOffices(source: TestDatabase, target: TestDatabase): Promise<void> {
  const sums = (from: string) =>
    `select count(*), sum(hashtextextended(row(id, name, parent_id)::text, 0)) from ${from}`;
  expect(await target.query(sums('legacy.office'))).toEqual(await source.query(sums('office')));
  const ids = `tandem.uuid_of('office', o.id), o.name, tandem.uuid_of('office', o.parent_id)`;
  const [differing] = await target.query(
    `select count(*)::int as it from (select ${ids} from legacy.office o
       except select id, name, parent_id from offices where deleted_at is null) as rest`,
  );
  expect(differing).toEqual({ it: 0 });
  expect(await target.query('select count(*) from offices')).toEqual(
    await source.query('select count(*) from office'),
  );
}

test(`${ROWS} rows in one transaction, then ${TRANSACTIONS} small ones, stay below the memory limit`, async () => {
  await using source = await freshDatabase({ on: 'source' });
  await using target = await freshDatabase();
  const settings = await smallWorld(source, target);
  await source.query(`insert into office values (1, 'the only one')`);
  await using child = new TandemProcess(['run'], settings);
  await expectCaughtUp(settings, child, '8m');

  let start = performance.now();
  await source.query(
    `insert into office select i, 'office ' || i, null from generate_series(2, ${ROWS}) as i`,
  );
  await expectCaughtUp(settings, child, '8m');
  const large = { seconds: (performance.now() - start) / 1000, peakMb: peakMb(child.pid) };
  start = performance.now();
  await source.query(`do $$ begin for i in 1..${TRANSACTIONS} loop
    update office set parent_id = i where id = 1 + i % ${ROWS}; commit; end loop; end $$`);
  await expectCaughtUp(settings, child, '8m');
  const small = { seconds: (performance.now() - start) / 1000, peakMb: peakMb(child.pid) };
  process.stdout.write(`${JSON.stringify({ large, small })}\n`);
  expect(large.peakMb).toBeLessThan(LIMIT_MB);
  expect(small.peakMb).toBeLessThan(LIMIT_MB);
  await expectSameOffices(source, target);
  expect(await child.stop()).toBe(0);
}, 600_000);
