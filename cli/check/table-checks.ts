import { ident, qualified } from '../../connectors/postgres/sql.ts';
import type { Mapping } from '../../core/entity.ts';
import type { ColumnSpec } from '../../core/legacy-table.ts';
import { tablesOf } from '../../core/mapping-check.ts';
import { splitTableName } from '../../core/mirror-table.ts';
import { readUsages } from '../../core/usage.ts';
import { fits, kindOf } from '../column-kind.ts';
import type { FoundTable } from '../list-tables.ts';
import { failure, listed, ok, warning, type CheckResult, type Topic } from './result.ts';
import type { SourceFacts } from './source-facts.ts';

/** A legacy table as the mapping wants it. */
export type MappedTable = {
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

type Pair = { readonly mapped: MappedTable; readonly found: FoundTable };
const topic = (name: string, why: string): Topic => ({ subject: 'source', name, why });
const sqlName = ({ schema, relation }: MappedTable) => qualified(schema, relation);

/** Checks of the mapped tables. What fails is listed by table; what is right is counted. */
export function checkTables(
  tables: readonly MappedTable[],
  found: readonly FoundTable[],
  facts: SourceFacts,
  publication: string,
): readonly CheckResult[] {
  const pairs: Pair[] = [];
  const missing: string[] = [];
  for (const mapped of tables) {
    const match = found.find((it) => it.schema === mapped.schema && it.name === mapped.relation);
    if (match === undefined) missing.push(mapped.name);
    else pairs.push({ mapped, found: match });
  }
  return [
    checkExistence(tables, missing),
    checkKinds(pairs),
    checkColumns(pairs),
    checkTypes(pairs),
    checkNullability(pairs),
    checkKeys(pairs),
    checkIdentity(pairs),
    checkSelect(pairs, facts),
    checkRowSecurity(pairs, facts),
    checkPublication(pairs, facts, publication),
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

function checkKinds(pairs: readonly Pair[]): CheckResult {
  const it = topic(
    'kinds of tables',
    'Only ordinary, logged tables write changes of rows into the WAL.',
  );
  const wrong = pairs.filter(({ found }) => found.kind !== 'r' || found.isUnlogged);
  if (wrong.length === 0) return ok(it, 'all are ordinary tables');
  const kinds: Readonly<Record<string, string>> = {
    v: 'a view',
    m: 'a materialized view',
    f: 'a foreign table',
    p: 'partitioned',
  };
  const shown = wrong.map(
    ({ mapped, found }) => `${mapped.name} is ${kinds[found.kind] ?? 'unlogged'}`,
  );
  const unlogged = wrong.find(({ found }) => found.kind === 'r');
  const mend =
    unlogged === undefined
      ? 'Map the tables behind it.'
      : `alter table ${sqlName(unlogged.mapped)} set logged;`;
  return failure(it, listed(shown), mend);
}

function checkColumns(pairs: readonly Pair[]): CheckResult {
  const it = topic('columns', 'The mapping reads them.');
  const missing = pairs.flatMap(({ mapped, found }) =>
    [...mapped.columns.keys()]
      .filter((name) => !found.columns.some((column) => column.name === name))
      .map((name) => `${mapped.name}.${name}`),
  );
  if (missing.length === 0) return ok(it, `all ${count(pairs)} exist`);
  return failure(
    it,
    `missing: ${listed(missing)}`,
    'Correct their names in the legacy tables of the mapping, or leave them out.',
  );
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
        : [{ name, spec, type: column.type, isNullable: column.isNullable }];
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
    ({ mapped, found }) => [...mapped.key].sort().join() !== [...found.key].sort().join(),
  );
  const [first] = wrong;
  if (first === undefined) return ok(it, 'as declared');
  const shown = wrong.map(({ mapped, found }) =>
    found.key.length === 0
      ? `${mapped.name} has none`
      : `${mapped.name} has (${found.key.join(', ')}), declared (${mapped.key.join(', ')})`,
  );
  const { mapped, found } = first;
  const mend =
    found.key.length === 0
      ? `alter table ${sqlName(mapped)} add primary key (${mapped.key.map(ident).join(', ')});`
      : `Declare the key of ${mapped.name} as (${found.key.join(', ')}) in the mapping.`;
  return failure(it, listed(shown), mend);
}

function checkIdentity(pairs: readonly Pair[]): CheckResult {
  const it = topic(
    'replica identity',
    'Updates and deletes name the row by it: it must contain the primary key. With none, an update of a published table fails on the source.',
  );
  const wrong = pairs.filter(
    ({ found }) =>
      found.replicaIdentity === 'n' ||
      (found.replicaIdentity === 'd' && found.key.length === 0) ||
      (found.replicaIdentity === 'i' &&
        !found.key.every((column) => found.identityColumns.includes(column))),
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
  const wrong = pairs.filter(({ mapped, found }) =>
    found.columns.some((column) => mapped.columns.has(column.name) && !column.isReadable),
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
  const wrong = facts.bypassesRowSecurity ? [] : pairs.filter(({ found }) => found.hidesRows);
  if (wrong.length === 0) return ok(it, 'hides nothing from the copy');
  return failure(
    it,
    `on, for ${facts.role}: ${listed(wrong.map(({ mapped }) => mapped.name))}`,
    `alter role ${ident(facts.role)} bypassrls;`,
  );
}

function checkPublication(pairs: readonly Pair[], facts: SourceFacts, name: string): CheckResult {
  const it = topic(
    'publication',
    'It says which tables the source sends. To make or change it takes CREATE on the database and the ownership of each table.',
  );
  const existing = facts.publication;
  const absent = pairs.filter(
    ({ mapped }) => !(existing?.tables.includes(`${mapped.schema}.${mapped.relation}`) ?? false),
  );
  if (existing !== null) {
    const lacking = ['insert', 'update', 'delete'].filter(
      (it) => !existing.operations.includes(it),
    );
    if (lacking.length > 0) {
      return failure(
        it,
        `${name} does not publish ${lacking.join(', ')}`,
        `alter publication ${ident(name)} set (publish = 'insert, update, delete, truncate');`,
      );
    }
    if (absent.length === 0) return ok(it, `${name} exists, with all mapped tables`);
  }
  if (facts.isInRecovery) {
    return failure(
      it,
      'cannot be made on a standby',
      `On the primary: ${publicationSql(name, absent, existing !== null)}`,
    );
  }
  const foreign = absent.filter(({ found }) => !found.isOwned);
  if (!facts.isSuperuser && foreign.length > 0) {
    const owners = [...new Set(foreign.map(({ found }) => found.owner))];
    return failure(
      it,
      `${facts.role} does not own ${listed(foreign.map(({ mapped }) => mapped.name))}`,
      `As ${owners.join(' and ')}: ${publicationSql(name, absent, existing !== null)} or: ${owners.map((owner) => `grant ${ident(owner)} to ${ident(facts.role)};`).join(' ')}`,
    );
  }
  if (existing !== null) {
    return existing.isOwned || facts.isSuperuser
      ? ok(it, `${name} exists; setup adds ${absent.length} tables`)
      : failure(
          it,
          `${name} lacks ${listed(absent.map(({ mapped }) => mapped.name))} and belongs to ${existing.owner}`,
          `As ${existing.owner}: ${publicationSql(name, absent, true)}`,
        );
  }
  if (facts.mayCreate) return ok(it, `${name} does not exist yet; setup creates it`);
  return failure(
    it,
    `${facts.role} may not create one in ${facts.database}`,
    `grant create on database ${ident(facts.database)} to ${ident(facts.role)};`,
  );
}

function publicationSql(name: string, pairs: readonly Pair[], exists: boolean): string {
  const tables = pairs.map(({ mapped }) => sqlName(mapped)).join(', ');
  return exists
    ? `alter publication ${ident(name)} add table ${tables};`
    : `create publication ${ident(name)} for table ${tables};`;
}
