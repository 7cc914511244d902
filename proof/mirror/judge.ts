import { formatLsn, type Lsn, type Version } from '../../core/version.ts';

/** What may be wrong with a row of the mirror. */
export type MismatchKind = 'missing' | 'extra' | 'different' | 'ahead';

/** What was found under one key: on the source at a barrier, and in the mirror after the stream had passed that. */
export type Evidence = {
  /** Everything that was committed before this place is in what the source showed. */
  readonly barrier: Lsn;
  readonly onSource: boolean;
  /** Null: neither a row nor a tombstone. */
  readonly mirror: { readonly isDeleted: boolean; readonly version: Version } | null;
  /** Columns whose values differ, where both have a row. */
  readonly differing: readonly string[];
};

type Verdict =
  | { readonly kind: 'agrees' }
  /** Changed on the source since the barrier: says nothing. */
  | { readonly kind: 'changing' }
  /** Wrong, if the next round finds the same. `trace` says what the same is. */
  | { readonly kind: 'wrong'; readonly what: MismatchKind; readonly trace: string };

/**
 * A mirror row whose version is older than the barrier has not changed on the source since: it must
 * be what the source showed. One that is not there at all has never been: every change that the
 * source showed has arrived, and a deletion leaves a tombstone.
 */
export function judge({ barrier, onSource, mirror, differing }: Evidence): Verdict {
  const inMirror = mirror !== null && !mirror.isDeleted;
  if (onSource === inMirror && differing.length === 0) return { kind: 'agrees' };
  if (mirror === null) return { kind: 'wrong', what: 'missing', trace: 'missing' };
  const { commitLsn, changeLsn } = mirror.version;
  if (commitLsn >= barrier) return { kind: 'changing' };
  const what = !onSource ? 'extra' : inMirror ? 'different' : 'missing';
  return { kind: 'wrong', what, trace: `${what} ${formatLsn(commitLsn)} ${formatLsn(changeLsn)}` };
}
