import { djangoName, ident, type LegacyColumn, type LegacyTable } from './definition.ts';
import { LEGACY_TABLES } from './tables.ts';

export type LegacyVariant = {
  /** Leaves `dispatch_patient.user_id` without its unique constraint, so that T14 can be planted. */
  readonly sharedPatientAccounts?: boolean;
};

function isUnique(table: LegacyTable, column: LegacyColumn, variant: LegacyVariant): boolean {
  if (!column.unique) return false;
  const shared = variant.sharedPatientAccounts ?? false;
  return !(shared && table.name === 'dispatch_patient' && column.name === 'user_id');
}

function columnDdl(table: LegacyTable, column: LegacyColumn, variant: LegacyVariant): string {
  const words = [ident(column.name), column.type];
  if (!column.nullable) words.push('not null');
  if (column === table.key) words.push('primary key');
  else if (isUnique(table, column, variant)) words.push('unique');
  return words.join(' ');
}

/** `create table` statements with keys and unique constraints, without foreign keys. */
export function tableStatements(variant: LegacyVariant): string[] {
  return LEGACY_TABLES.map((table) => {
    const parts = table.columns.map((column) => columnDdl(table, column, variant));
    for (const pair of table.uniquePairs) {
      const name = djangoName(table.name, pair, '_uniq');
      parts.push(`constraint ${ident(name)} unique (${pair.map(ident).join(', ')})`);
    }
    return `create table ${ident(table.name)} (\n  ${parts.join(',\n  ')}\n)`;
  });
}

type Reference = { table: LegacyTable; column: LegacyColumn; target: string };

function references(): Reference[] {
  return LEGACY_TABLES.flatMap((table) =>
    table.columns.flatMap((column) =>
      column.references === null ? [] : [{ table, column, target: column.references }],
    ),
  );
}

function indexName(table: LegacyTable, column: LegacyColumn): string {
  return djangoName(table.name, [column.name], '');
}

function foreignKeyName({ table, column, target }: Reference): string {
  return djangoName(table.name, [column.name], `_fk_${target}_id`);
}

/** Foreign keys and their indexes. Cheaper after a load than during it, and they check the load. */
export function constraintStatements(variant: LegacyVariant): string[] {
  const indexes = references()
    .filter(({ table, column }) => !isUnique(table, column, variant))
    .map(({ table, column }) => {
      const name = ident(indexName(table, column));
      return `create index if not exists ${name} on ${ident(table.name)} (${ident(column.name)})`;
    });
  const foreignKeys = references().map((reference) => {
    const { table, column, target } = reference;
    return `alter table ${ident(table.name)} add constraint ${ident(foreignKeyName(reference))}
      foreign key (${ident(column.name)}) references ${ident(target)} (id) deferrable initially deferred`;
  });
  return [...indexes, ...foreignKeys];
}

/** Takes away what `constraintStatements` adds, if it is there. */
export function dropConstraintStatements(): string[] {
  return references().flatMap((reference) => [
    `alter table ${ident(reference.table.name)} drop constraint if exists ${ident(foreignKeyName(reference))}`,
    `drop index if exists ${ident(indexName(reference.table, reference.column))}`,
  ]);
}

/** The indexes Django adds beside a unique text column, for `like` searches. */
export function patternIndexStatements(): string[] {
  return LEGACY_TABLES.flatMap((table) =>
    table.columns
      .filter((column) => column.type.startsWith('varchar'))
      .filter((column) => column.unique || column === table.key)
      .map((column) => {
        const name = ident(djangoName(table.name, [column.name], '_like'));
        return `create index ${name} on ${ident(table.name)} (${ident(column.name)} varchar_pattern_ops)`;
      }),
  );
}
