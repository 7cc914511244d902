import pg from 'pg';
import {
  statementError,
  textRows,
  TEXT_TYPES,
  type Database,
} from '../connectors/postgres/connection.ts';
import { arrayLiteral, literal } from '../connectors/postgres/sql.ts';
import {
  HISTORY_SQL,
  type Migration,
  type RecordedMigration,
} from '../connectors/supabase/migrations.ts';
import { TandemError } from '../core/errors.ts';

/** What the target remembers, in the order of the versions; nothing before the first migration. */
export async function recordedMigrations(
  client: pg.ClientBase,
): Promise<readonly RecordedMigration[]> {
  try {
    const [table] = await textRows(
      client,
      `select to_regclass('supabase_migrations.schema_migrations') is not null,
         exists (select from pg_attribute where attname = 'statements' and not attisdropped
           and attrelid = to_regclass('supabase_migrations.schema_migrations'))`,
    );
    if (table?.[0] !== 't') return [];
    // The first releases of the CLI recorded the version alone.
    const rest = table[1] === 't' ? 'name, to_json(statements)' : 'null, null';
    const rows = await textRows(
      client,
      `select version, ${rest} from supabase_migrations.schema_migrations order by version`,
    );
    return rows.map(([version, name, statements]) => ({
      version: version ?? '',
      name: name ?? '',
      statements: typeof statements === 'string' ? (JSON.parse(statements) as string[]) : null,
    }));
  } catch (error) {
    throw statementError('target', error, 'read recorded migrations');
  }
}

/** What a dry run shows: the migration and its record, in one transaction. */
export function migrationSql({ version, name, statements }: Migration): readonly string[] {
  const texts = statements.map((statement) => literal(statement)).join(', ');
  return [
    'begin',
    ...statements,
    `insert into supabase_migrations.schema_migrations (version, name, statements)
  values (${literal(version)}, ${literal(name)}, array[${texts}]::text[])`,
    'commit',
  ];
}

/**
 * A session for migrations: with the server's own settings, not with those of our other sessions,
 * because a migration may count on the search path that the role has.
 */
export async function openMigrationClient(target: Database): Promise<pg.Client> {
  const client = new pg.Client({
    connectionTimeoutMillis: 15_000,
    ...target.client,
    application_name: 'tandem migrations',
    types: TEXT_TYPES,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw new TandemError('TARGET_UNREACHABLE', { step: 'open migration session' }, error);
  }
}

/** Makes the table of records where there is none. */
export async function prepareHistory(client: pg.ClientBase): Promise<void> {
  try {
    for (const statement of HISTORY_SQL) await client.query(statement);
  } catch (error) {
    throw statementError('target', error, 'create schema supabase_migrations');
  }
}

/**
 * Applies one migration and records it, in one transaction. False where another process has done
 * so meanwhile.
 *
 * @throws TandemError `TARGET_FAILED` with file and number of the statement
 */
export async function applyMigration(
  client: pg.ClientBase,
  migration: Migration,
): Promise<boolean> {
  const { version, name, file, statements } = migration;
  let number = 0;
  try {
    // A migration may have changed a setting of the session.
    await client.query('reset all');
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(hashtextextended('tandem migrations', 0))`);
    const known = await textRows(
      client,
      'select 1 from supabase_migrations.schema_migrations where version = $1',
      [version],
    );
    if (known.length > 0) {
      await client.query('rollback');
      return false;
    }
    for (const statement of statements) {
      number++;
      await client.query(statement);
    }
    number = 0;
    await client.query(
      `insert into supabase_migrations.schema_migrations (version, name, statements)
       values ($1, $2, $3::text[])`,
      [version, name, arrayLiteral(statements)],
    );
    await client.query('commit');
    return true;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw migrationError(error, file, number);
  }
}

/** The message of a DDL statement names objects, and says what is wrong; it holds no rows. */
function migrationError(error: unknown, file: string, number: number): TandemError {
  const named = statementError('target', error, 'migration');
  const isDefinition = /^(42|0A|3F|2B)/.test(String(named.details['sqlstate'] ?? ''));
  const reason = isDefinition && error instanceof Error ? { reason: error.message } : {};
  const details = { ...named.details, file, statement: number, ...reason };
  return new TandemError(named.code, details, error);
}
