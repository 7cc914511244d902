import type pg from 'pg';
import { ALL_TRAPS } from './all.ts';
import type { PlantedTraps, Trap, TrapRows } from './trap.ts';

const MAX_IDS = 1000;

type Search = { readonly number: string; readonly table: string; readonly queries: string[] };

/** One search per trap and table; a trap with several faces is the union of its queries. */
function searches(traps: readonly Trap[]): Search[] {
  const byPlace = new Map<string, Search>();
  for (const { number, table, sql } of traps) {
    const place = `${number} ${table}`;
    const search = byPlace.get(place) ?? { number, table, queries: [] };
    search.queries.push(`(${sql})`);
    byPlace.set(place, search);
  }
  return [...byPlace.values()];
}

async function rowsOf(client: pg.Client, search: Search): Promise<TrapRows> {
  const { rows } = await client.query(
    `with found as (select distinct id from (${search.queries.join(' union all ')}) carriers)
     select (select count(*) from found)::int as count,
       array(select id from found order by id limit ${MAX_IDS}) as ids`,
  );
  const [row] = rows as readonly { count: number; ids: number[] }[];
  return { table: search.table, count: row?.count ?? 0, ids: row?.ids ?? [] };
}

/** Looks up every trap in the database as it is now: also after traffic has gone over it. */
export async function findTraps(client: pg.Client): Promise<PlantedTraps> {
  const found = new Map<string, TrapRows[]>();
  for (const search of searches(ALL_TRAPS)) {
    const rows = await rowsOf(client, search);
    if (rows.count > 0) found.set(search.number, [...(found.get(search.number) ?? []), rows]);
  }
  return found;
}
