import type pg from 'pg';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { proofTablesSql } from '../consumers/control-schema.ts';
import type { Clock } from '../core/ports.ts';
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

const KEEP_EVERY_MS = 1_000;

/**
 * Keeps how far a pass has come, once a second: what a kill loses is done again. Where another
 * process has begun one over the same scope, that one is kept, and this one only goes to its end.
 */
export class StateKeeper {
  readonly #client: pg.ClientBase;
  readonly #pass: Pass;
  readonly #clock: Pick<Clock, 'now'>;
  /** As text: the state in memory goes on to change within the next range. */
  readonly #changed = new Map<string, string>();
  #keptAt: number;

  constructor(client: pg.ClientBase, pass: Pass, clock: Pick<Clock, 'now'>) {
    this.#client = client;
    this.#pass = pass;
    this.#clock = clock;
    this.#keptAt = clock.now();
  }

  async keep(table: string, state: TableState): Promise<void> {
    this.#changed.set(table, JSON.stringify(state));
    if (this.#clock.now() - this.#keptAt >= KEEP_EVERY_MS) await this.flush();
  }

  async flush(): Promise<void> {
    const states = [...this.#changed];
    this.#changed.clear();
    this.#keptAt = this.#clock.now();
    if (states.length === 0) return;
    await execute(
      this.#client,
      `insert into tandem.proof_table (proof, table_name, state)
       select pass.id, name, state
       from tandem.proof as pass, unnest($2::text[], $3::jsonb[]) as given (name, state)
       where pass.id = $1 for key share of pass
       on conflict (proof, table_name) do update set state = excluded.state`,
      [
        this.#pass.id,
        arrayLiteral(states.map(([table]) => table)),
        arrayLiteral(states.map(([, state]) => state)),
      ],
    );
  }
}

type PassResult = {
  readonly verdict: Verdict;
  readonly summary: object;
  /** Everything was asked for, and it came to its end. */
  readonly isFull: boolean;
};

/** Seconds since the last full pass ended; null: there was none. */
export async function sinceLastFull(client: pg.ClientBase): Promise<number | null> {
  for (const sql of proofTablesSql()) await execute(client, sql);
  const [row] = await textRows(
    client,
    `select extract(epoch from clock_timestamp() - max(finished_at)) from tandem.proof where is_full`,
  );
  return row?.[0] == null ? null : Number(row[0]);
}

/** Notes how it ended; what it needed to go on is forgotten. */
export async function finishPass(
  client: pg.ClientBase,
  pass: Pass,
  { verdict, summary, isFull }: PassResult,
): Promise<void> {
  await execute(
    client,
    `update tandem.proof set finished_at = clock_timestamp(), verdict = $2, summary = $3, is_full = $4
     where id = $1`,
    [pass.id, verdict, JSON.stringify(summary), isFull],
  );
  await execute(client, 'delete from tandem.proof_table where proof = $1', [pass.id]);
}
