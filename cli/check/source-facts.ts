import type pg from 'pg';
import { statementError, textRows } from '../../connectors/postgres/connection.ts';

/** What is known of the source's server and of the role that we log in as. */
export type SourceFacts = {
  readonly version: number;
  readonly encoding: string;
  readonly isInRecovery: boolean;
  readonly systemIdentifier: string | null;
  readonly databaseOid: string;
  readonly walLevel: string;
  readonly maxSlots: number;
  readonly usedSlots: number;
  readonly maxSenders: number;
  readonly usedSenders: number;
  readonly senderTimeout: string;
  /** Megabytes; -1 is unlimited; null before PostgreSQL 13. */
  readonly slotKeepMb: number | null;
  readonly role: string;
  readonly database: string;
  readonly isSuperuser: boolean;
  readonly mayReplicate: boolean;
  readonly bypassesRowSecurity: boolean;
  readonly mayCreate: boolean;
  readonly mayEmit: boolean;
  /** Null where there is no publication of that name. */
  readonly publication: { readonly owner: string; readonly isOwned: boolean } | null;
  readonly longTransactions: readonly {
    readonly pid: number;
    readonly seconds: number;
    readonly application: string;
  }[];
  readonly preparedTransactions: number;
  /** Seconds by which the server's clock is ahead of ours. */
  readonly clockAheadSeconds: number;
};

const LONG_SECONDS = 60;

/** `rds_replication` and `azure_pg_admin` are what managed services have instead of the attribute. */
const READ = `
  select json_build_object(
    'version', current_setting('server_version_num')::int,
    'encoding', current_setting('server_encoding'),
    'isInRecovery', pg_is_in_recovery(),
    'databaseOid', (select oid::text from pg_database where datname = current_database()),
    'walLevel', current_setting('wal_level'),
    'maxSlots', current_setting('max_replication_slots')::int,
    'usedSlots', (select count(*) from pg_replication_slots),
    'maxSenders', current_setting('max_wal_senders')::int,
    'usedSenders', (select count(*) from pg_stat_replication),
    'senderTimeout', current_setting('wal_sender_timeout'),
    'slotKeepMb', (select setting::bigint from pg_settings where name = 'max_slot_wal_keep_size'),
    'role', current_user,
    'database', current_database(),
    'isSuperuser', r.rolsuper,
    'mayReplicate', r.rolsuper or r.rolreplication or exists (select from pg_roles g
      where g.rolname in ('rds_replication', 'azure_pg_admin', 'cloudsqlsuperuser')
        and pg_has_role(g.oid, 'member')),
    'bypassesRowSecurity', r.rolsuper or r.rolbypassrls,
    'mayCreate', has_database_privilege(current_database(), 'create'),
    'mayEmit', (select coalesce(bool_or(has_function_privilege(oid, 'execute')), false)
      from pg_proc where proname = 'pg_logical_emit_message'
        and proargtypes[2] = 'text'::regtype),
    'publication', (select json_build_object('owner', pg_get_userbyid(p.pubowner),
        'isOwned', pg_has_role(p.pubowner, 'usage')) from pg_publication p where p.pubname = $1),
    'longTransactions', coalesce((select json_agg(json_build_object('pid', pid,
        'seconds', extract(epoch from clock_timestamp() - xact_start)::int,
        'application', coalesce(application_name, '')) order by xact_start)
      from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()
        and xact_start < clock_timestamp() - make_interval(secs => $2)), '[]'),
    'preparedTransactions', (select count(*) from pg_prepared_xacts),
    'clock', extract(epoch from clock_timestamp()))
  from pg_roles r where r.rolname = current_user`;

/** Reads all facts in one statement; needs no privilege beyond a login. */
export async function readSourceFacts(
  client: pg.ClientBase,
  publication: string,
): Promise<SourceFacts> {
  try {
    const before = Date.now();
    const [row] = await textRows(client, READ, [publication, LONG_SECONDS]);
    const middle = (before + Date.now()) / 2000;
    const facts = JSON.parse(row?.[0] ?? '{}') as Omit<
      SourceFacts,
      'systemIdentifier' | 'clockAheadSeconds'
    > & { readonly clock: number };
    return {
      ...facts,
      systemIdentifier: await systemIdentifier(client),
      clockAheadSeconds: facts.clock - middle,
    };
  } catch (error) {
    throw statementError('source', error, 'read settings');
  }
}

/** Some managed services do not let everyone read it. */
export async function systemIdentifier(client: pg.ClientBase): Promise<string | null> {
  try {
    const [row] = await textRows(client, 'select system_identifier from pg_control_system()');
    return row?.[0] ?? null;
  } catch {
    return null;
  }
}
