import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import type { Model } from '../consumers/model.ts';
import { sourceName } from '../connectors/postgres/key-range.ts';

type BackfillEstimate = {
  readonly tables: readonly {
    readonly table: string;
    readonly rows: number;
    readonly bytes: number;
  }[];
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Mirror and target tables with their indexes. */
  readonly targetBytes: number;
};

/** Rows a second on two shared cores, from docs/benchmarks.md: loading, then deriving. */
const LOAD_ROWS_PER_SECOND = 250_000;
const DERIVE_ROWS_PER_SECOND = 60_000;
/** A mirror row and a target row with their indexes, against the source row with its own. */
const TARGET_SHARE = 2;

/** What the backfill will take, from the planner's estimates: nothing is counted. */
export async function estimateBackfill(
  source: pg.ClientBase,
  model: Model,
): Promise<BackfillEstimate> {
  const tables = [...model.mirror.values()];
  const found = await textRows(
    source,
    `select greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid)
     from unnest($1::text[]) with ordinality as wanted (name, place)
     join pg_class c on c.oid = wanted.name::regclass order by place`,
    [arrayLiteral(tables.map(sourceName))],
  );
  const lines = tables.map((table, i) => ({
    table: table.name,
    rows: Number(found[i]?.[0] ?? 0),
    bytes: Number(found[i]?.[1] ?? 0),
  }));
  const rowsOf = new Map(lines.map((line) => [line.table, line.rows]));
  const rows = lines.reduce((sum, line) => sum + line.rows, 0);
  const bytes = lines.reduce((sum, line) => sum + line.bytes, 0);
  const roots = model.entities.reduce((n, e) => n + (rowsOf.get(e.shape.table.name) ?? 0), 0);
  return {
    tables: lines.sort((a, b) => b.rows - a.rows),
    rows,
    bytes,
    seconds: rows / LOAD_ROWS_PER_SECOND + roots / DERIVE_ROWS_PER_SECOND,
    targetBytes: bytes * TARGET_SHARE,
  };
}
