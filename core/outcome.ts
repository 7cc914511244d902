import { uuidOf, type LegacyKey } from './uuid.ts';

/** A reference to another entity's row, by legacy key. Becomes a uuid; its target may be missing. */
export class Ref {
  readonly identity: string;
  readonly key: LegacyKey;
  #uuid: string | undefined;
  constructor(identity: string, key: LegacyKey) {
    this.identity = identity;
    this.key = key;
  }
  get uuid(): string {
    return (this.#uuid ??= uuidOf(this.identity, this.key));
  }
}

/** The row of `identity` with this legacy key; null stays null. */
export function ref(identity: string, key: LegacyKey): Ref;
export function ref(identity: string, key: LegacyKey | null): Ref | null;
export function ref(identity: string, key: LegacyKey | null): Ref | null {
  return key === null ? null : new Ref(identity, key);
}

/** What a target column may be given. Decimals, times, uuids and JSON are text, as PostgreSQL prints them. */
export type TargetValue = string | number | bigint | boolean | null | Ref | readonly string[];
export type TargetRow = { readonly id: Ref } & { readonly [column: string]: TargetValue };

/**
 * Something about a row that a person should know. `shared` issues are about a value, not a row
 * (a code without a label): they are recorded once, whatever the number of rows.
 */
export type Issue = { readonly column: string; readonly reason: string; readonly shared?: true };

/** A row and the table it goes to; null is the entity's own target. */
export type RowInto = { readonly table: string | null; readonly row: TargetRow };

/** What becomes of a root row. There is no fifth way. */
export type Outcome =
  | { readonly kind: 'rows'; readonly rows: readonly RowInto[]; readonly issues: readonly Issue[] }
  | { readonly kind: 'held'; readonly column: string; readonly parent: Ref }
  | { readonly kind: 'excluded'; readonly rule: string }
  | { readonly kind: 'rejected'; readonly reason: string };

const NO_ISSUES: readonly Issue[] = [];

/** One row of the entity's target table. */
export const row = (row: TargetRow, issues: readonly Issue[] = NO_ISSUES): Outcome => ({
  kind: 'rows',
  rows: [{ table: null, row }],
  issues,
});
/** A row of a named target table, for `rows`. */
export const into = (table: string, row: TargetRow): RowInto => ({ table, row });
/** Several rows, in one or several tables; none is a legal answer. */
export const rows = (rows: readonly RowInto[], issues: readonly Issue[] = NO_ISSUES): Outcome => ({
  kind: 'rows',
  rows,
  issues,
});
/** Not for this entity, by a rule that has a name; counted under it. */
export const excluded = (rule: string): Outcome => ({ kind: 'excluded', rule });
/** Broken beyond what the mapping can carry: goes to quarantine. `reason` names columns, never values. */
export const rejected = (reason: string): Outcome => ({ kind: 'rejected', reason });
/** Waits until `parent` has a target row. A not-null reference does this by itself. */
export const held = (column: string, parent: Ref): Outcome => ({ kind: 'held', column, parent });
