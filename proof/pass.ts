import type pg from 'pg';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import { proofTablesSql } from '../consumers/control-schema.ts';
import type { TableState } from './mirror/table-state.ts';
import type { Verdict } from './report.ts';

/** One run over a scope, kept in the target so that a later process can go on with it. */
export type Pass = {
  readonly id: string;
  /** What its sample is drawn by. */
  readonly seed: number;
  readonly startedAt: string;
  /** How far it has come, by table. */
  readonly states: ReadonlyMap<string, TableState>;
};

/** The newest pass over the scope that was not finished, or null. */
export async function findPass(client: pg.ClientBase, scope: string): Promise<Pass | null> {
  for (const sql of proofTablesSql()) await execute(client, sql);
  const [row] = await textRows(
    client,
    `select id, seed, started_at from tandem.proof
     where scope = $1 and finished_at is null order by id desc limit 1`,
    [scope],
  );
  if (row === undefined) return null;
  const [id, seed, startedAt] = row;
  const states = await textRows(
    client,
    'select table_name, state from tandem.proof_table where proof = $1',
    [id ?? ''],
  );
  return {
    id: id ?? '',
    seed: Number(seed),
    startedAt: startedAt ?? '',
    states: new Map(
      states.map(([table, state]) => [table ?? '', JSON.parse(state ?? '{}') as TableState]),
    ),
  };
}

/** Begins a pass; one over the same scope that was not finished is forgotten. */
export async function beginPass(client: pg.ClientBase, scope: string, seed: number): Promise<Pass> {
  await execute(client, 'delete from tandem.proof where scope = $1 and finished_at is null', [
    scope,
  ]);
  const [row] = await textRows(
    client,
    'insert into tandem.proof (scope, seed) values ($1, $2) returning id, started_at',
    [scope, seed],
  );
  return { id: row?.[0] ?? '', seed, startedAt: row?.[1] ?? '', states: new Map() };
}

export async function keepState(
  client: pg.ClientBase,
  pass: Pass,
  table: string,
  state: TableState,
): Promise<void> {
  await execute(
    client,
    `insert into tandem.proof_table (proof, table_name, state) values ($1, $2, $3)
     on conflict (proof, table_name) do update set state = excluded.state`,
    [pass.id, table, JSON.stringify(state)],
  );
}

/** Notes how it ended; what it needed to go on is forgotten. */
export async function finishPass(
  client: pg.ClientBase,
  pass: Pass,
  verdict: Verdict,
  summary: object,
): Promise<void> {
  await execute(
    client,
    `update tandem.proof set finished_at = clock_timestamp(), verdict = $2, summary = $3 where id = $1`,
    [pass.id, verdict, JSON.stringify(summary)],
  );
  await execute(client, 'delete from tandem.proof_table where proof = $1', [pass.id]);
}
