import type { Issue } from '../../../core/outcome.ts';

const STATUS = new Map([
  [1, 'draft'],
  [2, 'sent'],
  [3, 'paid'],
]);

/** The label of a status code. An unknown one is kept and reported, never guessed. */
export function statusOf(code: number, issues: Issue[] = []): string {
  const label = STATUS.get(code);
  if (label !== undefined) return label;
  issues.push({ column: 'status', reason: `code ${code} has no label`, shared: true });
  return 'unknown';
}

/** `numeric(…, 2)` arrives as text, such as `19.05`: counted in cents, it stays exact. */
export function amountOf(line: { readonly quantity: number; readonly unit_price: string }): bigint {
  return BigInt(line.quantity) * BigInt(line.unit_price.replace('.', ''));
}

/** Cents as PostgreSQL prints a decimal. */
export function decimal(cents: bigint): string {
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0');
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
