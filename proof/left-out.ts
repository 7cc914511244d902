import { asksForTarget, type Parts } from './report.ts';

/** Something that this proof says nothing about, and why. */
export type LeftOut = { readonly what: string; readonly why: string };

/** What was not verified: without this a reader would take silence for agreement. */
export function leftOut({ scope, mirror, target, account }: Parts): readonly LeftOut[] {
  const found: LeftOut[] = [];
  for (const {
    table,
    notVerified,
    reason,
    unsettledCount,
    openRanges,
    isCutOff,
  } of mirror.tables) {
    const what = `table ${table}`;
    if (notVerified !== null) found.push({ what, why: notVerified });
    const open = [
      ...(unsettledCount > 0 ? [`${unsettledCount} keys`] : []),
      ...(openRanges > 0 ? [`${openRanges} ranges`] : []),
    ];
    if (open.length > 0)
      found.push({ what: `${open.join(' and ')} of ${what}`, why: reason ?? '' });
    if (isCutOff) found.push({ what: `the rest of ${what}`, why: 'too many rows differ' });
  }
  const isStopped = 'it was stopped before';
  if (!mirror.isComplete) found.push({ what: 'the other tables', why: isStopped });
  if (scope.sample !== null)
    found.push({ what: 'the other ranges', why: 'a sample was asked for' });
  if (scope.since !== null) {
    found.push({ what: 'what never arrived', why: 'only keys that changed in the mirror' });
  }
  if (!asksForTarget(scope)) {
    found.push({ what: 'the target and the account', why: 'only the mirror was asked for' });
    return found;
  }
  if (target === null) found.push({ what: 'the target', why: isStopped });
  for (const { entity, notVerified, pending } of target?.entities ?? []) {
    const what = `entity ${entity}`;
    if (notVerified !== null) found.push({ what, why: notVerified });
    if (pending.count > 0) {
      found.push({ what: `${pending.count} roots of ${what}`, why: 'an open job derives them' });
    }
  }
  for (const { journal } of target?.journals ?? []) {
    const why = 'they are what was seen, which the mirror does not keep';
    found.push({ what: `values in the rows of journal ${journal}`, why });
  }
  if (account === null) found.push({ what: 'the account', why: isStopped });
  return found;
}
