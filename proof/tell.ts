import type { Observer } from '../core/ports.ts';
import { accountFaults, asksForTarget, targetFaults, type Parts } from './report.ts';

type ProofName = 'mirror' | 'target' | 'account';
type Counts = { readonly rows: number; readonly mismatches: number; readonly open: number };

/** Tells of ranges of rows as they are compared; `counts` are those of the subject until now. */
export function rangeTeller(
  observer: Observer,
  proof: ProofName,
  before: Counts,
): (counts: Counts) => void {
  let last = before;
  return (now) => {
    const isOpen = now.open > last.open;
    const result = now.mismatches > last.mismatches ? 'differs' : isOpen ? 'unsettled' : 'agrees';
    observer.event('proof range', { proof, result, rows: now.rows - last.rows }, 'debug');
    last = now;
  };
}

/** Tells of a table or an entity that has rows which stayed different. */
export function tellMismatch(
  observer: Observer,
  proof: ProofName,
  subject: string,
  rows: number,
): void {
  if (rows > 0) observer.event('proof mismatch', { proof, subject, rows }, 'warn');
}

/** What is told of a part of a full pass. */
type FullPart = { readonly proof: string; readonly mismatches: number };

/** The parts of a full pass: one that was asked for all, and left nothing out. Else none. */
export function fullParts(parts: Parts): readonly FullPart[] {
  if (!isFull(parts) || skipsAny(parts)) return [];
  const { mirror, target, account } = parts;
  const ofMirror = mirror.tables.reduce((sum, it) => sum + it.mismatches.length, 0);
  return [
    { proof: 'mirror', mismatches: ofMirror },
    ...(target === null ? [] : [{ proof: 'target', mismatches: targetFaults(target) }]),
    ...(account === null ? [] : [{ proof: 'account', mismatches: accountFaults(account) }]),
  ];
}

/** Tells of a full pass. */
export function tellComplete(observer: Observer, parts: Parts): void {
  for (const part of fullParts(parts)) observer.event('proof complete', part);
}

/** A table or an entity could not be looked at. */
function skipsAny({ mirror, target, account }: Parts): boolean {
  const all = [...mirror.tables, ...(target?.entities ?? []), ...(account?.entities ?? [])];
  return all.some(({ notVerified }) => notVerified !== null);
}

/** Everything was asked for, and it came to its end. */
export function isFull({ scope, mirror, target, account }: Parts): boolean {
  if (!asksForTarget(scope) || scope.entities !== null) return false;
  return mirror.isComplete && target !== null && account !== null;
}
