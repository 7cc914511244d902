import type pg from 'pg';
import { statementError, textRows } from '../../connectors/postgres/connection.ts';

type SchemaFacts = {
  readonly owner: string;
  /** The role owns it, or is a member of the role that does. */
  readonly isOwned: boolean;
  readonly mayCreate: boolean;
};

/** What is known of the target's server and of the role that we log in as. */
export type TargetFacts = {
  readonly version: number;
  readonly databaseOid: string;
  readonly role: string;
  readonly database: string;
  readonly isSuperuser: boolean;
  readonly bypassesRowSecurity: boolean;
  readonly mayCreate: boolean;
  /** Those of the schemas we use that exist. */
  readonly schemas: Readonly<Record<string, SchemaFacts>>;
  readonly isReadOnly: boolean;
  readonly isInRecovery: boolean;
  readonly maxConnections: number;
  readonly reservedConnections: number;
  readonly usedConnections: number;
  /** Settings of the role or the database, `name=value`, that would change our sessions. */
  readonly roleSettings: readonly string[];
  readonly replicationRole: string;
  readonly clockAheadSeconds: number;
};

const READ = `
  select json_build_object(
    'version', current_setting('server_version_num')::int,
    'databaseOid', (select oid::text from pg_database where datname = current_database()),
    'role', current_user,
    'database', current_database(),
    'isSuperuser', r.rolsuper,
    'bypassesRowSecurity', r.rolsuper or r.rolbypassrls,
    'mayCreate', has_database_privilege(current_database(), 'create'),
    'schemas', (select coalesce(json_object_agg(nspname, json_build_object(
        'owner', pg_get_userbyid(nspowner), 'isOwned', pg_has_role(nspowner, 'usage'),
        'mayCreate', has_schema_privilege(oid, 'create'))), '{}')
      from pg_namespace where nspname in ('tandem', 'legacy', 'supabase_migrations', 'public')),
    'isReadOnly', current_setting('default_transaction_read_only') = 'on',
    'isInRecovery', pg_is_in_recovery(),
    'maxConnections', current_setting('max_connections')::int,
    'reservedConnections', current_setting('superuser_reserved_connections')::int,
    'usedConnections', (select coalesce(sum(numbackends), 0) from pg_stat_database),
    'roleSettings', (select coalesce(json_agg(setting), '[]')
      from pg_db_role_setting s, unnest(s.setconfig) as setting
      where s.setrole in (0, r.oid)
        and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))),
    'replicationRole', current_setting('session_replication_role'),
    'clock', extract(epoch from clock_timestamp()))
  from pg_roles r where r.rolname = current_user`;

/** Reads all facts in one statement; needs no privilege beyond a login. */
export async function readTargetFacts(client: pg.ClientBase): Promise<TargetFacts> {
  try {
    const before = Date.now();
    const [row] = await textRows(client, READ);
    const middle = (before + Date.now()) / 2000;
    const facts = JSON.parse(row?.[0] ?? '{}') as TargetFacts & { readonly clock: number };
    return { ...facts, clockAheadSeconds: facts.clock - middle };
  } catch (error) {
    throw statementError('target', error, 'read settings');
  }
}
