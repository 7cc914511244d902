import type { Catalog, CatalogTable } from '../../connectors/postgres/catalog.ts';
import { ident, qualified } from '../../connectors/postgres/sql.ts';
import type { Migration } from '../../connectors/supabase/migrations.ts';
import type { Mapping } from '../../core/entity.ts';
import { splitTableName } from '../../core/mirror-table.ts';
import type { TableAccess } from '../list-tables.ts';
import { failure, listed, ok, warning, type CheckResult, type Topic } from './result.ts';
import type { TargetFacts } from './target-facts.ts';

/** Sessions beside those of the backfill: apply, status, and one to spare. */
const OWN_SESSIONS = 3;

const topic = (name: string, why: string): Topic => ({ subject: 'target', name, why });

/** Checks of the target's server and role. */
export function checkTarget(facts: TargetFacts, workers: number): readonly CheckResult[] {
  return [
    checkVersion(facts),
    checkWritable(facts),
    checkCreate(facts),
    checkConnections(facts, workers),
    checkRoleSettings(facts),
    checkReplicationRole(facts),
  ];
}

function checkVersion({ version }: TargetFacts): CheckResult {
  const it = topic('version', 'The statements that apply changes need PostgreSQL 15.');
  const shown = `PostgreSQL ${Math.floor(version / 10_000)}`;
  return version >= 150_000
    ? ok(it, shown)
    : failure(it, shown, 'Upgrade the target to PostgreSQL 15 or later.');
}

function checkWritable({ isReadOnly, isInRecovery, database }: TargetFacts): CheckResult {
  const it = topic('writable', 'Tandem writes here.');
  if (isInRecovery) return failure(it, 'is a standby', 'Name the primary in TARGET_URL.');
  if (!isReadOnly) return ok(it, 'yes');
  return failure(
    it,
    'default_transaction_read_only is on (Supabase does this when the disk is almost full)',
    `Make room, then: alter database ${ident(database)} reset default_transaction_read_only;`,
  );
}

/** Schemas that setup makes: what is in them belongs to the role that ran it. */
const OWN_SCHEMAS = ['tandem', 'legacy', 'supabase_migrations'];

function checkCreate(facts: TargetFacts): CheckResult {
  const it = topic(
    'create privilege',
    'Setup makes the schemas tandem, legacy and supabase_migrations, and the tables of the migrations in public.',
  );
  const { role, database, schemas, mayCreate } = facts;
  const lacks: string[] = [];
  const grants: string[] = [];
  if (!mayCreate && OWN_SCHEMAS.some((name) => !(name in schemas))) {
    lacks.push(`${role} may not create in the database ${database}`);
    grants.push(`grant create on database ${ident(database)} to ${ident(role)};`);
  }
  if (schemas['public']?.mayCreate === false) {
    lacks.push(`${role} may not create in the schema public`);
    grants.push(`grant usage, create on schema public to ${ident(role)};`);
  }
  for (const name of OWN_SCHEMAS) {
    const schema = schemas[name];
    if (schema === undefined || schema.isOwned) continue;
    lacks.push(`the schema ${name} belongs to ${schema.owner}`);
    grants.push(`grant ${ident(schema.owner)} to ${ident(role)};`);
  }
  if (grants.length === 0) return ok(it, `${role} may create what setup needs`);
  return failure(it, lacks.join(', '), [...new Set(grants)].join(' '));
}

function checkConnections(facts: TargetFacts, workers: number): CheckResult {
  const it = topic(
    'connections',
    'Backfill and stream need some; a server without a free one refuses everybody.',
  );
  const { maxConnections, reservedConnections, usedConnections } = facts;
  const free = maxConnections - reservedConnections - usedConnections;
  const found = `${free} of ${maxConnections} free`;
  if (free >= workers + OWN_SESSIONS) return ok(it, found);
  return warning(
    it,
    `${found}, ${workers + OWN_SESSIONS} needed`,
    `Lower BACKFILL_WORKERS, or: alter system set max_connections = ${maxConnections + 50}; and restart.`,
  );
}

/** Our own sessions set these themselves; migrations run with what the role has. */
function checkRoleSettings({ role, roleSettings }: TargetFacts): CheckResult {
  const it = topic(
    'time limits',
    'A migration that takes longer than the limit of the role is cut off.',
  );
  const limits = roleSettings.filter((setting) =>
    /^(statement_timeout|lock_timeout|transaction_timeout)=(?!0(ms|s|min)?$)/.test(setting),
  );
  if (limits.length === 0) return ok(it, 'none on the role');
  const names = limits.map((setting) => setting.split('=')[0] ?? '');
  const resets = names.map((name) => `alter role ${ident(role)} set ${name} = 0;`);
  return warning(it, listed(limits), `For the time of the setup: ${resets.join(' ')}`);
}

function checkReplicationRole({ replicationRole, role, database }: TargetFacts): CheckResult {
  const it = topic(
    'session_replication_role',
    'With replica, foreign keys are not checked and triggers do not fire.',
  );
  if (replicationRole === 'origin') return ok(it, replicationRole);
  const resets = [`role ${ident(role)}`, `database ${ident(database)}`].map(
    (of) => `alter ${of} reset session_replication_role;`,
  );
  return failure(it, replicationRole, resets.join(' '));
}

export type MigrationState = {
  readonly folder: string | null;
  readonly total: number;
  readonly pending: readonly Migration[];
  readonly edited: readonly Migration[];
  /** Why folder and record do not fit together. */
  readonly diverged: string | null;
};

export const MIGRATIONS: Topic = topic(
  'migrations',
  'They make the tables that Tandem fills. Recorded as the Supabase CLI records them.',
);

export function checkMigrations(state: MigrationState): CheckResult {
  const it = MIGRATIONS;
  if (state.diverged !== null) {
    return failure(
      it,
      state.diverged,
      'supabase migration list; then fetch the missing files (supabase migration fetch) or repair the record (supabase migration repair).',
    );
  }
  if (state.folder === null) return ok(it, 'the mapping brings none');
  if (state.pending.length > 0) {
    return warning(it, `${state.pending.length} of ${state.total} not applied yet`, 'tandem setup');
  }
  if (state.edited.length > 0) {
    const files = listed(state.edited.map(({ file }) => file));
    return warning(
      it,
      `edited after they were applied: ${files}`,
      'Write a new migration with the difference.',
    );
  }
  return ok(it, `all ${state.total} applied`);
}

/** Checks of the tables that entities write. Before the setup a missing one is no failure. */
export function checkTargetTables(
  mapping: Mapping,
  found: {
    readonly catalog: Catalog;
    readonly access: ReadonlyMap<string, TableAccess>;
    readonly facts: TargetFacts;
    readonly isSetUp: boolean;
  },
): readonly CheckResult[] {
  const names = [...new Set(mapping.entities.flatMap(({ targets }) => targets))];
  const tables: CatalogTable[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const { schema, relation } = splitTableName(name);
    const table = found.catalog.get(`${schema}.${relation}`);
    if (table === undefined) missing.push(name);
    else tables.push(table);
  }
  return [
    checkExistence(names, missing, found.isSetUp),
    checkIds(tables),
    checkWrite(tables, found.access, found.facts),
    checkRowSecurity(tables, found.access, found.facts),
    checkCycles(tables),
    checkRemoval(tables),
  ];
}

/**
 * A row that goes where rows of other entities point at it: marked as deleted it stays, so that they
 * keep their parent. Deleted it would break their foreign keys, or change them behind the engine.
 */
function checkRemoval(tables: readonly CatalogTable[]): CheckResult {
  const it = topic(
    'removal',
    'A row that others refer to is marked in deleted_at when it goes. Without that column it is deleted; where a foreign key stands in the way, it stays, in quarantine.',
  );
  const nameOf = ({ schema, relation }: { schema: string; relation: string }) =>
    `${schema}.${relation}`;
  const parents = new Set(
    tables.flatMap((table) => table.foreignKeys.map(({ target }) => nameOf(target))),
  );
  const hard = tables.filter(
    (table) =>
      parents.has(nameOf(table)) && !table.columns.some(({ name }) => name === 'deleted_at'),
  );
  if (hard.length === 0) return ok(it, 'every table that others refer to has deleted_at');
  return warning(
    it,
    `others refer to, and have no deleted_at: ${listed(hard.map(({ relation }) => relation))}`,
    hard
      .map(
        (table) =>
          `alter table ${qualified(table.schema, table.relation)} add column deleted_at timestamptz;`,
      )
      .join(' '),
  );
}

function checkExistence(
  names: readonly string[],
  missing: readonly string[],
  isSetUp: boolean,
): CheckResult {
  const it = topic('tables', 'The entities of the mapping write them.');
  if (missing.length === 0) return ok(it, `all ${names.length} exist`);
  const text = `missing: ${listed(missing)}`;
  return isSetUp
    ? failure(it, text, 'Add a migration that creates them, or correct `target` of the entities.')
    : warning(it, text, 'tandem setup');
}

function checkIds(tables: readonly CatalogTable[]): CheckResult {
  const it = topic(
    'ids',
    'Rows are written by their id, which must be a uuid and the primary key.',
  );
  const wrong = tables.filter(
    ({ primaryKey, columns }) =>
      primaryKey.join() !== 'id' ||
      columns.find(({ name }) => name === 'id')?.mirrorType !== 'uuid',
  );
  const [first] = wrong;
  if (first === undefined) return ok(it, 'every table has one');
  return failure(
    it,
    `without: ${listed(wrong.map(({ relation }) => relation))}`,
    `alter table ${qualified(first.schema, first.relation)} add column id uuid primary key;`,
  );
}

function checkWrite(
  tables: readonly CatalogTable[],
  access: ReadonlyMap<string, TableAccess>,
  { role }: TargetFacts,
): CheckResult {
  const it = topic(
    'write privilege',
    'Rows are inserted, updated and read back. The bulk load drops and remakes indexes, which takes ownership.',
  );
  const of = (table: CatalogTable) => access.get(`${table.schema}.${table.relation}`);
  const closed = tables.filter((table) => (of(table)?.privileges.size ?? 0) < 4);
  if (closed.length > 0) {
    const names = closed.map(({ schema, relation }) => qualified(schema, relation)).join(', ');
    return failure(
      it,
      `${role} may not write ${listed(closed.map(({ relation }) => relation))}`,
      `grant select, insert, update, delete on ${names} to ${ident(role)};`,
    );
  }
  const foreign = tables.filter((table) => of(table)?.isOwned === false);
  if (foreign.length === 0) return ok(it, `${role} owns all tables`);
  const owners = [...new Set(foreign.map((table) => of(table)?.owner ?? ''))];
  return failure(
    it,
    `${role} does not own ${listed(foreign.map(({ relation }) => relation))}`,
    owners.map((owner) => `grant ${ident(owner)} to ${ident(role)};`).join(' '),
  );
}

function checkRowSecurity(
  tables: readonly CatalogTable[],
  access: ReadonlyMap<string, TableAccess>,
  { role, bypassesRowSecurity }: TargetFacts,
): CheckResult {
  const it = topic('row level security', 'Tandem must see and write every row.');
  const wrong = bypassesRowSecurity
    ? []
    : tables.filter(
        ({ schema, relation, rowSecurity }) =>
          rowSecurity === 'forced' ||
          (rowSecurity === 'on' && access.get(`${schema}.${relation}`)?.isOwned !== true),
      );
  if (wrong.length === 0) return ok(it, 'does not apply to the role');
  return failure(
    it,
    `applies to ${role}: ${listed(wrong.map(({ relation }) => relation))}`,
    `alter role ${ident(role)} bypassrls;`,
  );
}

/** Rows of two tables that name each other cannot both be first, unless the check can wait. */
function checkCycles(tables: readonly CatalogTable[]): CheckResult {
  const it = topic(
    'circles of foreign keys',
    'Tables that refer to each other are written one after the other: a foreign key in the circle has to wait for the commit.',
  );
  const nameOf = ({ schema, relation }: { schema: string; relation: string }) =>
    `${schema}.${relation}`;
  const known = new Map(tables.map((table) => [nameOf(table), table]));
  const strict = (table: CatalogTable) =>
    table.foreignKeys.filter(
      ({ isDeferrable, target }) =>
        !isDeferrable && known.has(nameOf(target)) && nameOf(target) !== nameOf(table),
    );
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean => {
    if (seen.has(from)) return false;
    seen.add(from);
    const table = known.get(from);
    return (table === undefined ? [] : strict(table)).some(
      ({ target }) => nameOf(target) === to || reaches(nameOf(target), to, seen),
    );
  };
  const closing = tables.flatMap((table) =>
    strict(table)
      .filter(({ target }) => reaches(nameOf(target), nameOf(table)))
      .map((key) => ({ table, key })),
  );
  const [first] = closing;
  if (first === undefined) return ok(it, 'none that is not deferrable');
  const { table, key } = first;
  return failure(
    it,
    `not deferrable: ${listed(closing.map(({ key }) => key.name))}`,
    `alter table ${qualified(table.schema, table.relation)} alter constraint ${ident(key.name)} deferrable;`,
  );
}
