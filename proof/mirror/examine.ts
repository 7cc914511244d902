import { settle, SETTLED_AT_ONCE, type SettleContext } from './settle.ts';
import type { TableSide } from './side.ts';
import { bucketsFor, differingBuckets, readHashes, readSums, type Part } from './sums.ts';
import { addSettled, type TableState } from './table-state.ts';

type Difference = {
  readonly part: Part;
  readonly source: TableSide;
  readonly mirror: TableSide;
  readonly differing: readonly { readonly bucket: number; readonly rows: number }[];
  readonly rows: number;
};

/** Hashes of so many rows are in memory at a time, for each side. */
const HASHES_AT_ONCE = 20_000;

/**
 * Narrows a range that differs down to keys, and settles those. The mirror is read when the stream
 * has passed what the source showed: what is still different then is either wrong or changed since.
 */
export async function examine(
  context: SettleContext,
  difference: Difference,
  state: TableState,
): Promise<void> {
  const { source, mirror, rows } = difference;
  let { part, differing } = difference;
  if (part.buckets === 1) {
    part = { ...part, buckets: bucketsFor(rows) };
    const narrower = part;
    const sums = await oneAfterTheOther(
      context,
      () => readSums(narrower, source),
      () => readSums(narrower, mirror),
    );
    if (sums === null) return leaveOpen(context, state);
    differing = differingBuckets(...sums);
  }
  for (const buckets of portions(differing)) {
    const hashes = await oneAfterTheOther(
      context,
      () => readHashes(part, buckets, source),
      () => readHashes(part, buckets, mirror),
    );
    if (hashes === null) return leaveOpen(context, state);
    const keys = differingKeys(...hashes);
    for (let i = 0; i < keys.length; i += SETTLED_AT_ONCE) {
      if (state.isCutOff) return;
      const portion = keys.slice(i, i + SETTLED_AT_ONCE);
      addSettled(state, await settle(context, part.table, portion));
    }
  }
}

/** The source, the stream's way to there, the mirror; null where the stream does not get there. */
async function oneAfterTheOther<T>(
  { pace, watch, namesLate }: SettleContext,
  onSource: () => Promise<T>,
  onMirror: () => Promise<T>,
): Promise<readonly [T, T] | null> {
  const ours = await pace.work('source', onSource);
  const isThere = await watch.waitFor(await watch.sourceEnd());
  if (!isThere && !namesLate) return null;
  return [ours, await pace.work('target', onMirror)];
}

function leaveOpen({ watch }: SettleContext, state: TableState): void {
  state.openRanges++;
  state.reason = watch.stalled;
}

function portions(
  differing: readonly { readonly bucket: number; readonly rows: number }[],
): readonly (readonly number[])[] {
  const lists: number[][] = [];
  let room = 0;
  for (const { bucket, rows } of differing) {
    if (rows > room || lists.length === 0) {
      lists.push([]);
      room = HASHES_AT_ONCE;
    }
    lists.at(-1)?.push(bucket);
    room -= rows;
  }
  return lists;
}

function differingKeys(
  source: ReadonlyMap<string, string>,
  mirror: ReadonlyMap<string, string>,
): readonly (readonly string[])[] {
  const keys = new Set([...source.keys(), ...mirror.keys()]);
  return [...keys]
    .filter((key) => source.get(key) !== mirror.get(key))
    .map((key) => JSON.parse(key) as string[]);
}
