import type pg from 'pg';
import { statementError, textRows, type Side, type TextRow } from './connection.ts';
import { mirrorType } from './mirror-type.ts';

export type TableName = { readonly schema: string; readonly relation: string };

export type CatalogColumn = {
  readonly name: string;
  readonly position: number;
  /** As `format_type` prints it; names outside `pg_catalog` are qualified. */
  readonly type: string;
  /** What the mirror uses for it: domains resolved, enums and other made types as text. */
  readonly mirrorType: string;
  /** The type below a domain, or the type itself, as `format_type` prints it. */
  readonly baseType: string;
  /** Of the type below a domain: `b` base, `e` enum, `c` composite, `r` range, `m` multirange. */
  readonly baseKind: string;
  readonly isDomain: boolean;
  readonly isNotNull: boolean;
  readonly hasDefault: boolean;
  readonly isIdentity: boolean;
  /** Computed from other columns; such a column is not in the stream before PostgreSQL 18. */
  readonly isGenerated: boolean;
};

type KeyConstraint = {
  readonly name: string;
  readonly kind: 'primary' | 'unique';
  readonly columns: readonly string[];
  readonly isDeferrable: boolean;
};

type ForeignKey = {
  readonly name: string;
  readonly columns: readonly string[];
  readonly target: TableName;
  readonly targetColumns: readonly string[];
  readonly isDeferrable: boolean;
  readonly isInitiallyDeferred: boolean;
  readonly isValidated: boolean;
  readonly onDelete: 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default';
  /** As `alter table … add constraint` takes it. */
  readonly definition: string;
};

type Index = {
  readonly name: string;
  readonly isUnique: boolean;
  readonly isValid: boolean;
  /** The primary key's or a constraint's own index: it goes with that. */
  readonly isOfConstraint: boolean;
  /** The `create index` statement. */
  readonly definition: string;
};

type ReplicaIdentity = {
  readonly kind: 'default' | 'nothing' | 'full' | 'index';
  /** What an update or delete identifies the row by; all columns with `full`, none with `nothing`. */
  readonly columns: readonly string[];
};

export type CatalogTable = TableName & {
  readonly oid: number;
  readonly kind: 'table' | 'partitioned' | 'view' | 'foreign' | 'other';
  readonly isPartition: boolean;
  readonly isUnlogged: boolean;
  readonly columns: readonly CatalogColumn[];
  /** Empty where there is no primary key. */
  readonly primaryKey: readonly string[];
  readonly keys: readonly KeyConstraint[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly indexes: readonly Index[];
  readonly replicaIdentity: ReplicaIdentity;
  readonly rowSecurity: 'off' | 'on' | 'forced';
  /** The planner's estimate; -1 where the table was never analyzed. */
  readonly estimatedRows: number;
  readonly bytes: bigint;
};

export type Catalog = ReadonlyMap<string, CatalogTable>;

/** `schema.relation`: the key of a `Catalog`. */
export function catalogName({ schema, relation }: TableName): string {
  return `${schema}.${relation}`;
}

const WANTED = `
  with wanted as (
    select c.* from unnest($1::text[], $2::text[]) as name (nsp, rel)
    join pg_namespace n on n.nspname = name.nsp
    join pg_class c on c.relnamespace = n.oid and c.relname = name.rel
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
  )`;

const TABLES = `${WANTED}
  select w.oid, n.nspname, w.relname, w.relkind, w.relispartition, w.relpersistence = 'u',
    w.relreplident, w.relrowsecurity, w.relforcerowsecurity, w.reltuples::bigint,
    pg_total_relation_size(w.oid)
  from wanted w join pg_namespace n on n.oid = w.relnamespace`;

/** A domain may rest on a domain, so the chain is followed to its end. */
const COLUMNS = `${WANTED.replace('with', 'with recursive')}, chain as (
    select a.attrelid, a.attnum, a.atttypid as oid, a.atttypmod as typmod, 0 as depth
    from pg_attribute a join wanted w on w.oid = a.attrelid
    where a.attnum > 0 and not a.attisdropped
    union all
    select chain.attrelid, chain.attnum, t.typbasetype, t.typtypmod, depth + 1
    from chain join pg_type t on t.oid = chain.oid where t.typtype = 'd'
  ), base as (
    select distinct on (attrelid, attnum) * from chain order by attrelid, attnum, depth desc
  )
  select a.attrelid, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), base.oid,
    format_type(base.oid, base.typmod), case when t.typcategory = 'A' then t.typelem else 0 end,
    t.typtype, base.depth > 0, a.attnotnull, a.atthasdef, a.attidentity <> '',
    coalesce(to_jsonb(a) ->> 'attgenerated', '') <> ''
  from base join pg_attribute a using (attrelid, attnum) join pg_type t on t.oid = base.oid
  order by a.attrelid, a.attnum`;

const NAMES = (relation: string, numbers: string) => `
  (select json_agg(a.attname order by nums.ord)
   from unnest(${numbers}) with ordinality as nums (num, ord)
   join pg_attribute a on a.attrelid = ${relation} and a.attnum = nums.num)`;

const CONSTRAINTS = `${WANTED}
  select k.conrelid, k.contype, k.conname, ${NAMES('k.conrelid', 'k.conkey')}, k.condeferrable,
    k.condeferred, k.convalidated, k.confdeltype, n.nspname, f.relname,
    ${NAMES('k.confrelid', 'k.confkey')}, pg_get_constraintdef(k.oid)
  from pg_constraint k join wanted w on w.oid = k.conrelid
  left join pg_class f on f.oid = k.confrelid left join pg_namespace n on n.oid = f.relnamespace
  where k.contype in ('p', 'u', 'f') order by k.conrelid, k.contype, k.conname`;

const INDEXES = `${WANTED}
  select i.indrelid, c.relname, i.indisunique, i.indisvalid,
    exists (select from pg_constraint k where k.conindid = c.oid and k.contype in ('p', 'u', 'x')),
    pg_get_indexdef(c.oid), i.indisreplident, ${NAMES('i.indrelid', 'i.indkey')}
  from pg_index i join wanted w on w.oid = i.indrelid join pg_class c on c.oid = i.indexrelid
  order by i.indrelid, c.relname`;

/** Reads what the catalogue says of tables. Those that do not exist are left out. */
export async function readCatalog(
  client: pg.ClientBase,
  side: Side,
  names: readonly TableName[],
): Promise<Catalog> {
  const parameters = [names.map((it) => it.schema), names.map((it) => it.relation)];
  try {
    const tables = await textRows(client, TABLES, parameters);
    const columns = byOid(await textRows(client, COLUMNS, parameters));
    const constraints = byOid(await textRows(client, CONSTRAINTS, parameters));
    const indexes = byOid(await textRows(client, INDEXES, parameters));
    return new Map(
      tables.map((row) => {
        const oid = row[0] ?? '';
        const parts = {
          columns: columns.get(oid) ?? [],
          constraints: constraints.get(oid) ?? [],
          indexes: indexes.get(oid) ?? [],
        };
        const table = tableOf(row, parts);
        return [catalogName(table), table];
      }),
    );
  } catch (error) {
    throw statementError(side, error, 'read catalogue');
  }
}

type Parts = {
  readonly columns: readonly TextRow[];
  readonly constraints: readonly TextRow[];
  readonly indexes: readonly TextRow[];
};

const KINDS: Readonly<Record<string, CatalogTable['kind']>> = {
  r: 'table',
  p: 'partitioned',
  v: 'view',
  f: 'foreign',
};

function tableOf(row: TextRow, parts: Parts): CatalogTable {
  const [oid, schema, relation, kind, isPartition, isUnlogged, identity, security, forced] = row;
  const columns = parts.columns.map(columnOf);
  const keys = parts.constraints.filter(([, type]) => type !== 'f').map(keyOf);
  const primary = keys.find((key) => key.kind === 'primary');
  const primaryKey = primary?.columns ?? [];
  const identityIndex = parts.indexes.find(([, , , , , , isIdentity]) => isIdentity === 't');
  return {
    oid: Number(oid),
    schema: text(schema),
    relation: text(relation),
    kind: KINDS[text(kind)] ?? 'other',
    isPartition: isPartition === 't',
    isUnlogged: isUnlogged === 't',
    columns,
    primaryKey,
    keys,
    foreignKeys: parts.constraints.filter(([, type]) => type === 'f').map(foreignKeyOf),
    indexes: parts.indexes.map(indexOf),
    replicaIdentity: identityOf(text(identity), {
      // A deferrable key identifies nothing: it may be violated for a while.
      primaryKey: primary?.isDeferrable === true ? [] : primaryKey,
      all: columns.map((column) => column.name),
      indexed: names(identityIndex?.[7]),
    }),
    rowSecurity: security !== 't' ? 'off' : forced === 't' ? 'forced' : 'on',
    estimatedRows: Number(row[9]),
    bytes: BigInt(text(row[10])),
  };
}

function columnOf(row: TextRow): CatalogColumn {
  const [, name, position, type, baseOid, baseName, elementOid, baseKind, isDomain, ...flags] = row;
  const base = { oid: Number(baseOid), name: text(baseName), elementOid: Number(elementOid) };
  return {
    name: text(name),
    position: Number(position),
    type: text(type),
    mirrorType: mirrorType(base),
    baseType: base.name,
    baseKind: text(baseKind),
    isDomain: isDomain === 't',
    isNotNull: flags[0] === 't',
    hasDefault: flags[1] === 't',
    isIdentity: flags[2] === 't',
    isGenerated: flags[3] === 't',
  };
}

function keyOf([, type, name, columns, isDeferrable]: TextRow): KeyConstraint {
  return {
    name: text(name),
    kind: type === 'p' ? 'primary' : 'unique',
    columns: names(columns),
    isDeferrable: isDeferrable === 't',
  };
}

const ON_DELETE: Readonly<Record<string, ForeignKey['onDelete']>> = {
  r: 'restrict',
  c: 'cascade',
  n: 'set null',
  d: 'set default',
};

function foreignKeyOf(row: TextRow): ForeignKey {
  const [, , name, columns, deferrable, deferred, validated, onDelete, schema, relation] = row;
  return {
    name: text(name),
    columns: names(columns),
    target: { schema: text(schema), relation: text(relation) },
    targetColumns: names(row[10]),
    isDeferrable: deferrable === 't',
    isInitiallyDeferred: deferred === 't',
    isValidated: validated === 't',
    onDelete: ON_DELETE[text(onDelete)] ?? 'no action',
    definition: text(row[11]),
  };
}

function indexOf([, name, isUnique, isValid, isOfConstraint, definition]: TextRow): Index {
  return {
    name: text(name),
    isUnique: isUnique === 't',
    isValid: isValid === 't',
    isOfConstraint: isOfConstraint === 't',
    definition: text(definition),
  };
}

function identityOf(
  kind: string,
  columns: Readonly<Record<'primaryKey' | 'all' | 'indexed', readonly string[]>>,
): ReplicaIdentity {
  if (kind === 'f') return { kind: 'full', columns: columns.all };
  if (kind === 'n') return { kind: 'nothing', columns: [] };
  if (kind === 'i') return { kind: 'index', columns: columns.indexed };
  return { kind: 'default', columns: columns.primaryKey };
}

/** Rows by their first field. */
function byOid(rows: readonly TextRow[]): ReadonlyMap<string, TextRow[]> {
  const found = new Map<string, TextRow[]>();
  for (const row of rows) {
    const oid = text(row[0]);
    const same = found.get(oid);
    if (same === undefined) found.set(oid, [row]);
    else same.push(row);
  }
  return found;
}

const text = (field: string | null | undefined): string => field ?? '';
const names = (json: string | null | undefined): readonly string[] =>
  JSON.parse(json ?? '[]') as string[];
