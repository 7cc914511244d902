import { statementError, textRows } from '../../connectors/postgres/connection.ts';
import { rangeCondition, type KeyRange } from '../../connectors/postgres/key-range.ts';
import { arrayLiteral, ident } from '../../connectors/postgres/sql.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { hashOf, type Hashing } from './row-hash.ts';
import type { TableSide } from './side.ts';

/** Rows of a range, spread over `buckets` by a hash of the key; a power of two. */
export type Part = {
  readonly table: MirrorTable;
  readonly range: KeyRange;
  readonly buckets: number;
  /** Of 1024 shares of the keys, how many are looked at, and which. */
  readonly sample: { readonly share: number; readonly seed: number } | null;
  readonly hashing: Hashing;
};

/** `sum` is that of the rows' hashes: free of order, and a row that is there twice counts twice. */
type Sum = { readonly count: number; readonly sum: string };
type Sums = {
  readonly buckets: ReadonlyMap<number, Sum>;
  readonly rows: number;
  readonly total: bigint;
  /** The newest version among the mirror's rows, tombstones too; null on the source. */
  readonly newest: Lsn | null;
};

const KEY_SEED = 1;
const ROW_SEED = 2;
const SAMPLE_SEED = 1000;
export const SAMPLE_SHARES = 1024;

const BUCKET_ROWS = 500;
const MAX_BUCKETS = 65_536;

/** How many buckets to spread so many rows over: a power of two. */
export function bucketsFor(rows: number): number {
  const wanted = Math.max(16, rows / BUCKET_ROWS);
  return Math.min(MAX_BUCKETS, 2 ** Math.ceil(Math.log2(wanted)));
}

function keyColumns(table: MirrorTable) {
  return table.columns.slice(0, table.keyLength);
}

function bucketOf({ table, buckets, hashing }: Part, { side }: TableSide): string {
  if (buckets === 1) return '0';
  return `(${hashOf(keyColumns(table), side, hashing, KEY_SEED)} & ${buckets - 1})`;
}

function condition({ table, range, sample, hashing }: Part, { side, typeOf }: TableSide): string {
  const within = rangeCondition(table, range, typeOf);
  if (sample === null) return within;
  const drawn = hashOf(keyColumns(table), side, hashing, SAMPLE_SEED + sample.seed);
  return `${within} and (${drawn} & ${SAMPLE_SHARES - 1}) < ${sample.share}`;
}

/** Counts and sums of one side, in one statement. A bucket without rows is not there. */
export async function readSums(part: Part, at: TableSide): Promise<Sums> {
  const { table, hashing } = part;
  const hash = hashOf(table.columns, at.side, hashing, ROW_SEED);
  const isMirror = at.side === 'target';
  const found = await read(
    at,
    table,
    `select ${bucketOf(part, at)} as bucket, count(*) filter (where ${at.isLive}),
       coalesce(sum(${hash}) filter (where ${at.isLive}), 0)${isMirror ? ', max(_commit_lsn)' : ''}
     from ${at.from} where ${condition(part, at)}${part.buckets === 1 ? '' : ' group by 1'}`,
  );
  const buckets = new Map<number, Sum>();
  let newest: Lsn | null = null;
  let rows = 0;
  let total = 0n;
  for (const [bucket, count, sum, version] of found) {
    rows += Number(count);
    total += BigInt(sum ?? '0');
    if (Number(count) > 0) buckets.set(Number(bucket), { count: Number(count), sum: sum ?? '0' });
    const lsn = version == null ? null : parseLsn(version);
    if (lsn !== null && (newest === null || lsn > newest)) newest = lsn;
  }
  return { buckets, rows, total, newest };
}

/** Buckets that are not the same on both sides, with about how many rows they have. */
export function differingBuckets(
  source: Sums,
  mirror: Sums,
): readonly { readonly bucket: number; readonly rows: number }[] {
  const all = new Set([...source.buckets.keys(), ...mirror.buckets.keys()]);
  return [...all].flatMap((bucket) => {
    const [a, b] = [source.buckets.get(bucket), mirror.buckets.get(bucket)];
    if (a?.count === b?.count && a?.sum === b?.sum) return [];
    return { bucket, rows: Math.max(a?.count ?? 0, b?.count ?? 0) };
  });
}

/** The hash of every row in some buckets, by key: `JSON` of the key's texts. */
export async function readHashes(
  part: Part,
  buckets: readonly number[],
  at: TableSide,
): Promise<ReadonlyMap<string, string>> {
  const { table, hashing } = part;
  const key = keyColumns(table).map(({ name }) => `${ident(name)}::text`);
  const found = await read(
    at,
    table,
    `select ${key.join(', ')}, ${hashOf(table.columns, at.side, hashing, ROW_SEED)}
     from ${at.from} where ${at.isLive} and ${condition(part, at)}
       and ${bucketOf(part, at)} = any ($1::bigint[])`,
    [arrayLiteral(buckets.map(String))],
  );
  const hashes = new Map<string, string>();
  for (const row of found) {
    const text = JSON.stringify(row.slice(0, table.keyLength));
    hashes.set(text, row[table.keyLength] ?? '');
  }
  return hashes;
}

/** Keys of rows whose version the source has not reached: no later change would pass them. */
export async function readKeysAhead(
  part: Part,
  at: TableSide,
  end: string,
  limit: number,
): Promise<readonly (readonly string[])[]> {
  const key = keyColumns(part.table).map(({ name }) => `${ident(name)}::text`);
  const found = await read(
    at,
    part.table,
    `select ${key.join(', ')} from ${at.from}
     where ${condition(part, at)} and _commit_lsn > $1::pg_lsn limit ${limit}`,
    [end],
  );
  return found.map((row) => row.map((cell) => cell ?? ''));
}

async function read(
  { client, side }: TableSide,
  table: MirrorTable,
  sql: string,
  values: readonly string[] = [],
) {
  try {
    return await textRows(client, sql, values);
  } catch (error) {
    throw statementError(side, error, `verify ${table.name}`);
  }
}
