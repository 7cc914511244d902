import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { rowsOf, valueOf, withClient } from './database.ts';
import { randomNumbers } from './statistics.ts';

const ARRIVAL_TIMEOUT_MS = 60_000;

/** Each row once, so that its last transaction is the one of its update. */
export async function distinctTasks(bench: Bench, count: number): Promise<number[]> {
  const rows = await rowsOf(
    bench.world.sourceUrl,
    'select id from public.dispatch_task order by id',
  );
  const ids = rows.map(([id]) => Number(id));
  const random = randomNumbers(0);
  for (let i = ids.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [ids[i], ids[j]] = [ids[j] ?? 0, ids[i] ?? 0];
  }
  return ids.slice(0, count);
}

/** Writes single-row transactions on a fixed schedule; returns the rate that was reached. */
type Write = (ids: readonly number[], mark: string) => Promise<number>;

export async function withWriter<T>(
  bench: Bench,
  perSecond: number,
  use: (write: Write) => Promise<T>,
): Promise<T> {
  return withClient(bench.world.sourceUrl, (client) =>
    use(async (ids, mark) => {
      const start = performance.now();
      for (const [i, id] of ids.entries()) {
        const early = start + (i * 1000) / perSecond - performance.now();
        if (early > 0) await pause(early);
        await client.query({
          name: 'write',
          text: 'update public.dispatch_task set text = $2, checked = not coalesce(checked, false) where id = $1',
          values: [id, mark],
        });
      }
      return ids.length / ((performance.now() - start) / 1000);
    }),
  );
}

/** Where a text written to `dispatch_task` can be seen: a column of a table of the target. */
export type Place = { readonly table: string; readonly key: string; readonly text: string };

/** The re-modelled row. */
export const TASKS: Place = { table: 'tasks', key: 'legacy_task_id', text: 'body' };
/** The same row, copied as it is. */
export const PLAIN: Place = { table: 'dispatch_task', key: 'id', text: 'text' };

/** Waits until every row has got the text. */
export async function arrival(
  targetUrl: string,
  place: Place,
  ids: readonly number[],
  mark: string,
  timeoutMs = ARRIVAL_TIMEOUT_MS,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const missing = await valueOf(
      targetUrl,
      `select count(*) from public.${place.table}
       where ${place.key} = any($1::int[]) and ${place.text} is distinct from $2`,
      [ids.map(String), mark],
    );
    if (missing === '0') return;
    if (performance.now() > deadline) throw new Error(`${missing} updates did not arrive`);
    await pause(200);
  }
}

/** Milliseconds from the source's commit to the target's, by both servers' own records. */
export async function latencies(
  bench: Bench,
  targetUrl: string,
  place: Place,
  ids: readonly number[],
): Promise<number[]> {
  const committed = await commitTimes(bench.world.sourceUrl, PLAIN, ids);
  const visible = await commitTimes(targetUrl, place, ids);
  return [...committed].map(([id, ms]) => (visible.get(id) ?? NaN) - ms);
}

/** When the last transaction of each row was committed, ms since the epoch, by the server's record. */
export async function commitTimes(
  url: string,
  { table, key }: Place,
  ids: readonly number[],
): Promise<Map<string, number>> {
  const rows = await rowsOf(
    url,
    `select ${key}, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000
     from public.${table} where ${key} = any($1::int[])`,
    [ids.map(String)],
  );
  return new Map(rows.map(([id, ms]) => [id ?? '', Number(ms ?? NaN)]));
}
