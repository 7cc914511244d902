import { textRows } from '../../connectors/postgres/connection.ts';
import type { Bench } from './bench.ts';
import { rowsOf, valueOf, withClient } from './database.ts';
import { randomNumbers } from './statistics.ts';

/** Updates in one transaction of the backlog. */
const PER_TRANSACTION = 100;

/** Ids of rows of dispatch_task, evenly over the whole table, one per update to come. */
export async function drawTasks(bench: Bench, count: number, seed: number): Promise<number[]> {
  const rows = await rowsOf(
    bench.world.sourceUrl,
    'select id from public.dispatch_task order by id',
  );
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => Number(rows[Math.floor(random() * rows.length)]?.[0]));
}

/**
 * Writes single-row updates, 100 a transaction. `checked` is flipped, so `tasks.status` changes,
 * which is in an index: none of these updates is a cheap one.
 *
 * @returns seconds that the source took
 */
export async function writeUpdates(
  bench: Bench,
  ids: readonly number[],
  mark: string,
): Promise<number> {
  return withClient(bench.world.sourceUrl, async (client) => {
    await client.query('set synchronous_commit = off');
    await client.query('create temporary table plan (n int primary key, id int)');
    await textRows(
      client,
      'insert into plan select n, id from unnest($1::int[]) with ordinality as u (id, n)',
      [ids.map(String)],
    );
    await client.query('analyze plan');
    const start = performance.now();
    await client.query(`
      do $$
      declare
        k integer;
      begin
        for i in 1 .. ${ids.length} loop
          select id into k from plan where n = i;
          update public.dispatch_task
            set checked = not coalesce(checked, false), text = '${mark} ' || i where id = k;
          if i % ${PER_TRANSACTION} = 0 then commit; end if;
        end loop;
        commit;
      end $$`);
    return (performance.now() - start) / 1000;
  });
}

/** Throws where an update of `mark` has not arrived in `tasks`. */
export async function checkArrival(bench: Bench, targetUrl: string, mark: string): Promise<void> {
  const count = (url: string, table: string, column: string) =>
    valueOf(url, `select count(*) from public.${table} where ${column} like '${mark} %'`);
  const sent = await count(bench.world.sourceUrl, 'dispatch_task', 'text');
  const arrived = await count(targetUrl, 'tasks', 'body');
  if (sent !== arrived) throw new Error(`${sent} rows were updated, ${arrived} arrived`);
}
