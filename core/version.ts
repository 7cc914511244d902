import { TandemError } from './errors.ts';

/** A WAL position in bytes, unsigned 64 bit. PostgreSQL prints it as `16/B374D848`. */
export type Lsn = bigint & { readonly __brand: 'Lsn' };

/**
 * Where a change stands in the history of the source: commits first, then order inside a commit.
 * Rows of the initial copy carry `(consistent point of the slot, 0)`, so any streamed change wins.
 */
export type Version = { readonly commitLsn: Lsn; readonly changeLsn: Lsn };

/** Older than every change. */
export const BEFORE_ALL: Version = { commitLsn: 0n as Lsn, changeLsn: 0n as Lsn };

const LSN_TEXT = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;

/** Parses the text form. Throws `LSN_MALFORMED`; never returns a partial value. */
export function parseLsn(text: string): Lsn {
  const match = LSN_TEXT.exec(text);
  if (match === null) throw new TandemError('LSN_MALFORMED', { text });
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn;
}

/** The text form, as PostgreSQL prints it: upper case, no padding before the slash. */
export function formatLsn(lsn: Lsn): string {
  const high = Number(lsn >> 32n);
  const low = Number(lsn & 0xffffffffn);
  return `${high.toString(16)}/${low.toString(16)}`.toUpperCase();
}

/** Negative when `a` is older than `b`. A total order. */
export function compareVersions(a: Version, b: Version): number {
  if (a.commitLsn !== b.commitLsn) return a.commitLsn < b.commitLsn ? -1 : 1;
  if (a.changeLsn !== b.changeLsn) return a.changeLsn < b.changeLsn ? -1 : 1;
  return 0;
}
