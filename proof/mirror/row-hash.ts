import type pg from 'pg';
import { textRows, type Side } from '../../connectors/postgres/connection.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import type { MirrorColumn } from '../../core/mirror-table.ts';

/**
 * How both servers make a row into 64 bits. `hash64` is `hashtextextended`, column after column;
 * `md5` is slower and the same on every server and in every encoding.
 */
export type Hashing = {
  readonly kind: 'hash64' | 'md5';
  /** Servers before 12 print other digits of a float than later ones: its bits are compared then. */
  readonly floats: 'printed' | 'bits';
};

const HASH64_SINCE = 110_000;
const SHORTEST_FLOATS_SINCE = 120_000;

/** Asks both servers what they can, and whether they hash alike (another byte order would not). */
export async function agreeOnHashing(
  source: pg.ClientBase,
  target: pg.ClientBase,
): Promise<Hashing> {
  const facts = await Promise.all([factsOf(source), factsOf(target)]);
  const oldest = Math.min(...facts.map(({ version }) => version));
  const isSameEncoding = facts[0].encoding === facts[1].encoding;
  const floats = oldest >= SHORTEST_FLOATS_SINCE ? 'printed' : 'bits';
  if (oldest < HASH64_SINCE || !isSameEncoding) return { kind: 'md5', floats };
  const [a, b] = await Promise.all([trial(source), trial(target)]);
  return { kind: a === b ? 'hash64' : 'md5', floats };
}

async function factsOf(client: pg.ClientBase): Promise<{ version: number; encoding: string }> {
  const [row] = await textRows(
    client,
    `select current_setting('server_version_num'), getdatabaseencoding()`,
  );
  return { version: Number(row?.[0]), encoding: row?.[1] ?? '' };
}

async function trial(client: pg.ClientBase): Promise<string> {
  const [row] = await textRows(
    client,
    `select hashtextextended('tandem' collate "C", hashtextextended('mirror and source' collate "C", 7))`,
  );
  return row?.[0] ?? '';
}

/** An SQL expression: 64 bits of the columns in their order, as `bigint`; never null. */
export function hashOf(
  columns: readonly MirrorColumn[],
  side: Side,
  hashing: Hashing,
  seed: number,
): string {
  if (hashing.kind === 'hash64') {
    return columns.reduce(
      (before, column) =>
        `hashtextextended(${withoutNull(column, printed(column, side, hashing))} collate "C", ${before})`,
      `${seed}::bigint`,
    );
  }
  const parts = columns.map(
    (column) => `coalesce(quote_literal(${printed(column, side, hashing)}), '-')`,
  );
  const text = [`'${seed}'`, ...parts].join(` || ',' || `);
  return `('x' || substr(md5(convert_to(${text}, 'UTF8')), 1, 16))::bit(64)::bigint`;
}

/** Types whose text is never the mark of a null. The others get a sign in front. */
const CANNOT_BE_DASH =
  /^(smallint|integer|bigint|numeric|real|double precision|boolean|uuid|bytea|jsonb|date|timestamp)|\[\]$/;

function withoutNull({ type }: MirrorColumn, text: string): string {
  return CANNOT_BE_DASH.test(type) ? `coalesce(${text}, '-')` : `coalesce('=' || ${text}, '-')`;
}

/** Types made of floats, and the function that gives their bits. */
const FLOATS: Readonly<Record<string, string>> = {
  real: 'float4send',
  'double precision': 'float8send',
  'real[]': 'array_send',
  'double precision[]': 'array_send',
  point: 'point_send',
  line: 'line_send',
  lseg: 'lseg_send',
  box: 'box_send',
  path: 'path_send',
  polygon: 'poly_send',
  circle: 'circle_send',
};

/**
 * A column as text, the same on both sides. On the source a type that somebody made is printed by
 * its output function, as the stream and the copy print it; the mirror holds that text.
 */
function printed(column: MirrorColumn, side: Side, { floats }: Hashing): string {
  const name = ident(column.name);
  const send = floats === 'bits' ? FLOATS[column.type] : undefined;
  if (send !== undefined) {
    const bits = `${send}(${name})::text`;
    // Not every server that computes a NaN gives it the same bits.
    const isScalar = column.type === 'real' || column.type === 'double precision';
    return isScalar ? `case when ${name} = 'NaN' then 'NaN' else ${bits} end` : bits;
  }
  const isForeign = side === 'source' && /^text(\[\])?$/.test(column.type);
  return isForeign && column.sourceType !== column.type
    ? `case when ${name} is not null then concat(${name}) end`
    : `${name}::text`;
}
