import type { Catalog, CatalogTable } from '../../connectors/postgres/catalog.ts';
import { ident, qualified } from '../../connectors/postgres/sql.ts';
import type { Mapping } from '../../core/entity.ts';
import type { ColumnSpec } from '../../core/legacy-table.ts';
import { tablesOf } from '../../core/mapping-check.ts';
import { splitTableName } from '../../core/mirror-table.ts';
import { readUsages } from '../../core/usage.ts';
import { fits, kindOf } from '../../connectors/postgres/column-kind.ts';
import type { TableAccess } from '../list-tables.ts';
import { failure, listed, ok, warning, type CheckResult, type Topic } from './result.ts';
import type { SourceFacts } from './source-facts.ts';

/** A legacy table as the mapping wants it. */
type MappedTable = {
  readonly name: string;
  readonly schema: string;
  readonly relation: string;
  readonly key: readonly string[];
  /** The columns that are read, with their declarations. */
  readonly columns: ReadonlyMap<string, ColumnSpec>;
};

/** Every legacy table that the mapping reads, with the columns it reads. */
export function mappedTables(mapping: Mapping): readonly MappedTable[] {
  const declared = new Map(
    mapping.entities.flatMap(({ shape }) => tablesOf(shape)).map((table) => [table.name, table]),
  );
  return [...readUsages(mapping).tables.values()].map(({ name, key, columns }) => {
    const specs = declared.get(name)?.columns ?? {};
    const wanted = [...columns].flatMap((column): [string, ColumnSpec][] => {
      const spec = specs[column];
      return spec === undefined ? [] : [[column, spec]];
    });
    return { name, ...splitTableName(name), key, columns: new Map(wanted) };
  });
}

type Pair = {
  readonly mapped: MappedTable;
  readonly found: CatalogTable;
  readonly access: TableAccess;
};
const topic = (name: string, why: string): Topic => ({ subject: 'source', name, why });
const sqlName = ({ schema, relation }: MappedTable) => qualified(schema, relation);

type TableFacts = {
  readonly catalog: Catalog;
  readonly access: ReadonlyMap<string, TableAccess>;
  readonly source: SourceFacts;
  readonly publication: string;
  /** What setup will run for the publication; null where a table or column is missing. */
  readonly publicationPlan: readonly string[] | null;
};

/** Checks of the mapped tables. What fails is listed by table; what is right is counted. */
export function checkTables(
  tables: readonly MappedTable[],
  facts: TableFacts,
): readonly CheckResult[] {
  const pairs: Pair[] = [];
  const missing: string[] = [];
  for (const mapped of tables) {
    const name = `${mapped.schema}.${mapped.relation}`;
    const [found, access] = [facts.catalog.get(name), facts.access.get(name)];
    if (found === undefined || access === undefined) missing.push(mapped.name);
    else pairs.push({ mapped, found, access });
  }
  return [
    checkExistence(tables, missing),
    checkKinds(pairs, facts.source),
    checkColumns(pairs),
    checkTypes(pairs),
    checkNullability(pairs),
    checkKeys(pairs),
    checkIdentity(pairs),
    checkSelect(pairs, facts.source),
    checkRowSecurity(pairs, facts.source),
    checkPublication(pairs, facts),
  ];
}

function checkExistence(tables: readonly MappedTable[], missing: readonly string[]): CheckResult {
  const it = topic('tables', 'The mapping reads them.');
  if (missing.length === 0) return ok(it, `all ${tables.length} exist`);
  return failure(
    it,
    `missing: ${listed(missing)}`,
    'Correct their names in the mapping, or take out the entities that read them.',
  );
}

function checkKinds(pairs: readonly Pair[], { version }: SourceFacts): CheckResult {
  const it = topic(
    'kinds of tables',
    'Only ordinary, logged tables write changes of rows into the WAL.',
  );
  const isWrong = ({ kind, isUnlogged }: CatalogTable) =>
    isUnlogged || !(kind === 'table' || (kind === 'partitioned' && version >= 130_000));
  const wrong = pairs.filter(({ found }) => isWrong(found));
  if (wrong.length === 0) return ok(it, 'all are ordinary tables');
  const shown = wrong.map(
    ({ mapped, found }) =>
      `${mapped.name} is ${found.isUnlogged ? 'unlogged' : `a ${found.kind} one`}`,
  );
  const unlogged = wrong.find(({ found }) => found.isUnlogged);
  const mend =
    unlogged === undefined
      ? 'Map the tables behind it.'
      : `alter table ${sqlName(unlogged.mapped)} set logged;`;
  return failure(it, listed(shown), mend);
}

function checkColumns(pairs: readonly Pair[]): CheckResult {
  const it = topic('columns', 'The mapping reads them.');
  const lacking = pairs.flatMap(({ mapped, found }) =>
    [...mapped.columns.keys()].flatMap((name) => {
      const column = found.columns.find((one) => one.name === name);
      if (column === undefined) return [`${mapped.name}.${name}`];
      return column.isGenerated ? [`${mapped.name}.${name} (generated, not replicated)`] : [];
    }),
  );
  if (lacking.length === 0) return ok(it, `all ${count(pairs)} exist`);
  const mend = 'Correct their names in the legacy tables of the mapping, or leave them out.';
  return failure(it, `missing: ${listed(lacking)}`, mend);
}

const count = (pairs: readonly Pair[]) =>
  pairs.reduce((sum, { mapped }) => sum + mapped.columns.size, 0);

type ColumnPair = {
  readonly name: string;
  readonly spec: ColumnSpec;
  readonly type: string;
  readonly isNullable: boolean;
};

function columnPairs(pairs: readonly Pair[]): readonly ColumnPair[] {
  return pairs.flatMap(({ mapped, found }) =>
    found.columns.flatMap((column) => {
      const spec = mapped.columns.get(column.name);
      const name = `${mapped.name}.${column.name}`;
      return spec === undefined
        ? []
        : [{ name, spec, type: column.mirrorType, isNullable: !column.isNotNull }];
    }),
  );
}

function checkTypes(pairs: readonly Pair[]): CheckResult {
  const it = topic(
    'types',
    'A declared type decides how a value reaches map; a wrong one loses digits or fails.',
  );
  const wrong = columnPairs(pairs).filter(({ spec, type }) => !fits(spec.kind, type));
  const [first] = wrong;
  if (first === undefined) return ok(it, 'all fit their declarations');
  const shown = wrong.map(({ name, spec, type }) => `${name} is ${type}, declared ${spec.kind}`);
  return failure(
    it,
    listed(shown),
    `Declare ${first.name} as ${kindOf(first.type)} in the mapping.`,
  );
}

function checkNullability(pairs: readonly Pair[]): CheckResult {
  const it = topic(
    'nulls',
    'map is not prepared for a null in a column that is declared without orNull.',
  );
  const wrong = columnPairs(pairs).filter(({ spec, isNullable }) => !spec.nullable && isNullable);
  const [first] = wrong;
  if (first === undefined) return ok(it, 'declarations and tables agree');
  return warning(
    it,
    `may be null, declared not null: ${listed(wrong.map(({ name }) => name))}`,
    `Declare ${first.name} as ${first.spec.kind}.orNull.`,
  );
}

function checkKeys(pairs: readonly Pair[]): CheckResult {
  const it = topic('primary keys', 'The key is what a row is known by, on both sides.');
  const wrong = pairs.filter(
    ({ mapped, found }) => [...mapped.key].sort().join() !== [...found.primaryKey].sort().join(),
  );
  const [first] = wrong;
  if (first === undefined) return ok(it, 'as declared');
  const shown = wrong.map(({ mapped, found }) =>
    found.primaryKey.length === 0
      ? `${mapped.name} has none`
      : `${mapped.name} has (${found.primaryKey.join(', ')}), declared (${mapped.key.join(', ')})`,
  );
  const { mapped, found } = first;
  const mend =
    found.primaryKey.length === 0
      ? `alter table ${sqlName(mapped)} add primary key (${mapped.key.map(ident).join(', ')});`
      : `Declare the key of ${mapped.name} as (${found.primaryKey.join(', ')}) in the mapping.`;
  return failure(it, listed(shown), mend);
}

function checkIdentity(pairs: readonly Pair[]): CheckResult {
  const it = topic(
    'replica identity',
    'Updates and deletes name the row by it: it must contain the primary key. With none, an update of a published table fails on the source.',
  );
  const wrong = pairs.filter(
    ({ mapped, found }) => !mapped.key.every((key) => found.replicaIdentity.columns.includes(key)),
  );
  const [first] = wrong;
  if (first === undefined) return ok(it, 'usable on all tables');
  return failure(
    it,
    `not usable: ${listed(wrong.map(({ mapped }) => mapped.name))}`,
    `alter table ${sqlName(first.mapped)} replica identity default;`,
  );
}

function checkSelect(pairs: readonly Pair[], { role }: SourceFacts): CheckResult {
  const it = topic('select privilege', 'The backfill copies the mapped columns.');
  const wrong = pairs.filter(({ mapped, found, access }) =>
    found.columns.some(({ name }) => mapped.columns.has(name) && !access.readable.has(name)),
  );
  if (wrong.length === 0) return ok(it, `${role} may read all mapped columns`);
  const tables = wrong.map(({ mapped }) => sqlName(mapped)).join(', ');
  const schemas = [...new Set(wrong.map(({ mapped }) => ident(mapped.schema)))].join(', ');
  return failure(
    it,
    `${role} may not read ${listed(wrong.map(({ mapped }) => mapped.name))}`,
    `grant usage on schema ${schemas} to ${ident(role)}; grant select on ${tables} to ${ident(role)};`,
  );
}

function checkRowSecurity(pairs: readonly Pair[], facts: SourceFacts): CheckResult {
  const it = topic(
    'row level security',
    'It would hide rows from the copy, and nobody would notice.',
  );
  const wrong = facts.bypassesRowSecurity ? [] : pairs.filter(hidesRows);
  if (wrong.length === 0) return ok(it, 'hides nothing from the copy');
  return failure(
    it,
    `on, for ${facts.role}: ${listed(wrong.map(({ mapped }) => mapped.name))}`,
    `alter role ${ident(facts.role)} bypassrls;`,
  );
}

/** A table's owner is exempt unless it is forced. */
const hidesRows = ({ found, access }: Pair) =>
  found.rowSecurity === 'forced' || (found.rowSecurity === 'on' && !access.isOwned);

function checkPublication(pairs: readonly Pair[], facts: TableFacts): CheckResult {
  const it = topic(
    'publication',
    'It says which tables the source sends. To make or change it takes CREATE on the database and the ownership of each table.',
  );
  const { source, publication: name, publicationPlan: plan } = facts;
  if (plan === null) {
    return warning(it, 'not looked at while tables or columns are missing', 'Mend those first.');
  }
  if (plan.length === 0) return ok(it, `${name} exists, with all mapped tables`);
  const sql = plan.map((statement) => `${statement};`).join(' ');
  if (source.isInRecovery)
    return failure(it, 'cannot be made on a standby', `On the primary: ${sql}`);
  if (source.isSuperuser)
    return ok(it, `setup ${source.publication === null ? 'creates' : 'changes'} ${name}`);

  const foreign = pairs.filter(({ access }) => !access.isOwned);
  if (foreign.length > 0) {
    const owners = [...new Set(foreign.map(({ access }) => access.owner))];
    const grants = owners
      .map((owner) => `grant ${ident(owner)} to ${ident(source.role)};`)
      .join(' ');
    const found = `${source.role} does not own ${listed(foreign.map(({ mapped }) => mapped.name))}`;
    return failure(it, found, `As ${owners.join(' and ')}: ${sql} Or: ${grants}`);
  }
  if (source.publication !== null && !source.publication.isOwned) {
    const { owner } = source.publication;
    return failure(it, `${name} has to be changed, and belongs to ${owner}`, `As ${owner}: ${sql}`);
  }
  if (source.publication !== null) return ok(it, `setup changes ${name}`);
  if (source.mayCreate) return ok(it, `${name} does not exist yet; setup creates it`);
  const grant = `grant create on database ${ident(source.database)} to ${ident(source.role)};`;
  return failure(it, `${source.role} may not create one in ${source.database}`, grant);
}
