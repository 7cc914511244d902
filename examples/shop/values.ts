import type { Issue } from '../../core/outcome.ts';

const STATUS: Readonly<Record<number, string>> = { 1: 'open', 2: 'paid', 3: 'sent' };

/** The name of a status code. An unknown code is kept and reported, never guessed. */
export function statusOf(code: number, issues: Issue[] = []): string {
  const name = STATUS[code];
  if (name === undefined)
    issues.push({ column: 'status', reason: `code ${code} has no name`, shared: true });
  return name ?? 'unknown';
}

/** `numeric(…, 2)` arrives as text, such as `19.05`: counted in cents, it stays exact. */
export const cents = (amount: string): bigint => BigInt(amount.replace('.', ''));
