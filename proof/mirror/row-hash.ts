import type pg from 'pg';
import { textRows, type Side } from '../../connectors/postgres/connection.ts';
import { ident, literal } from '../../connectors/postgres/sql.ts';
import type { MirrorColumn } from '../../core/mirror-table.ts';

/**
 * How both servers make a row into 64 bits. `hash64` is made of the server's own hashes of the
 * values; `md5` is slower and the same on every server and in every encoding.
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

/** A column of each way to hash. */
const TRIAL: Readonly<Record<string, string>> = {
  smallint: '-2',
  integer: '7',
  bigint: '-9007199254740993',
  boolean: 'true',
  uuid: '6f2c1f0a-0000-8000-8000-00000000002a',
  numeric: '-12.340',
  date: '2024-02-29',
  'timestamp without time zone': '2024-03-31 02:30:00.000001',
  'timestamp with time zone': '2024-03-31 02:30:00.000001+00',
  text: 'mirror and source',
};

async function trial(client: pg.ClientBase): Promise<string> {
  const columns = Object.keys(TRIAL).map((type) => ({
    ...{ name: type, type, sourceType: type, inKey: false },
  }));
  const values = Object.entries(TRIAL).map(
    ([type, value]) => `${literal(value)}::${type} as ${ident(type)}`,
  );
  const hash = hashOf(columns, 'target', { kind: 'hash64', floats: 'printed' }, 7);
  const [row] = await textRows(client, `select ${hash} from (select ${values.join(', ')}) as row`);
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
    const parts = columns.map((column, i) => {
      const own = spread(BigInt(seed) * MOST_COLUMNS + BigInt(i));
      return `coalesce(${columnHash(column, side, hashing, own)}, ${own})`;
    });
    // Once more all of it: sums of exclusive ors would hardly see two rows that swapped a value.
    return `hashint4extended(0, ${parts.join(' # ')})`;
  }
  const parts = columns.map(
    (column) => `coalesce(quote_literal(${printed(column, side, hashing)}), '-')`,
  );
  const text = [`'${seed}'`, ...parts].join(` || ',' || `);
  return `('x' || substr(md5(convert_to(${text}, 'UTF8')), 1, 16))::bit(64)::bigint`;
}

/** More than a table can have. */
const MOST_COLUMNS = 2048n;

/** A seed of 64 bits for each number: a multiple of an odd one, the golden ratio's first bits. */
function spread(number: bigint): string {
  const bits = BigInt.asIntN(64, (number + 1n) * 0x9e3779b97f4a7c15n);
  return `'${bits}'::bigint`;
}

/**
 * 64 bits of one value, which see each of its own; null of null. The server's hash of a `bigint`
 * folds its halves into one, so the upper half counts once more. Those of a `numeric` and of a time
 * see less than what is stored: the bytes in which it is sent are hashed. Printing is what takes
 * time: an `integer` 77 ns against 10 ns, a `timestamp` 226 ns against 54 ns (PostgreSQL 18).
 */
function columnHash(column: MirrorColumn, side: Side, hashing: Hashing, seed: string): string {
  const { type } = column;
  // A domain of the source as what it is made of.
  const value = `${ident(column.name)}${column.sourceType === type ? '' : `::${type}`}`;
  if (type === 'integer') return `hashint4extended(${value}, ${seed})`;
  if (type === 'smallint' || type === 'boolean') {
    return `hashint4extended(${value}::integer, ${seed})`;
  }
  if (type === 'bigint') {
    return `hashint4extended((${value} >> 32)::integer, hashint8extended(${value}, ${seed}))`;
  }
  if (type === 'uuid') return `uuid_hash_extended(${value}, ${seed})`;
  const send = SENT.find(({ types }) => types.test(type))?.send;
  const text =
    send === undefined ? printed(column, side, hashing) : `encode(${send}(${value}), 'hex')`;
  return `hashtextextended(${text} collate "C", ${seed})`;
}

/** Types that are sent in the same bytes by every server that has 64 bit hashes. */
const SENT = [
  { types: /^timestamp(\(\d\))? with time zone$/, send: 'timestamptz_send' },
  { types: /^timestamp(\(\d\))? without time zone$/, send: 'timestamp_send' },
  { types: /^date$/, send: 'date_send' },
  { types: /^numeric(\(\d+,-?\d+\))?$/, send: 'numeric_send' },
] as const;

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
