import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { TandemError } from '../../core/errors.ts';
import { statementError, textRows, TEXT_TYPES, type Database } from '../postgres/connection.ts';
import { arrayLiteral, literal } from '../postgres/sql.ts';
import { splitStatements } from './split-statements.ts';

/** A file `<version>_<name>.sql` of the migrations folder. */
export type Migration = {
  readonly version: string;
  readonly name: string;
  readonly file: string;
  readonly statements: readonly string[];
};
/** A migration that the target remembers, written by us or by the Supabase CLI. */
export type RecordedMigration = {
  readonly version: string;
  readonly name: string;
  readonly statements: readonly string[] | null;
};

const FILE_NAME = /^(\d+)_(.*)\.sql$/;

/** The folder's migrations in their order, which is that of the file names. */
export async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const files = (await listFolder(folder)).filter((file) => FILE_NAME.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const [, version = '', name = ''] = FILE_NAME.exec(file) ?? [];
      const statements = splitStatements(await readFile(join(folder, file), 'utf8'));
      return { version, name, file, statements };
    }),
  );
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const problem = 'the folder of the migrations cannot be read';
    throw new TandemError('MAPPING_INVALID', { folder, problem }, error);
  }
}

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
      statements: statements == null ? null : (JSON.parse(statements) as string[]),
    }));
  } catch (error) {
    throw statementError('target', error, 'read recorded migrations');
  }
}

/**
 * Which migrations are still to be applied. As in `supabase db push`, the target may lack the
 * newest ones and nothing else.
 *
 * @throws TandemError `MIGRATION_DIVERGED`
 */
export function pendingMigrations(
  local: readonly Migration[],
  recorded: readonly RecordedMigration[],
): readonly Migration[] {
  const here = new Set(local.map(({ version }) => version));
  const there = new Set(recorded.map(({ version }) => version));
  const onlyThere = recorded.filter(({ version }) => !here.has(version));
  if (onlyThere.length > 0) {
    throw new TandemError('MIGRATION_DIVERGED', {
      problem: `the target records what the folder lacks: ${onlyThere.map(nameOf).join(', ')}`,
    });
  }
  const newest = recorded
    .map(({ version }) => version)
    .sort()
    .at(-1);
  const pending = local.filter(({ version }) => !there.has(version));
  const late = pending.filter(({ version }) => newest !== undefined && version < newest);
  if (late.length > 0) {
    throw new TandemError('MIGRATION_DIVERGED', {
      problem: `older than what the target already has: ${late.map(nameOf).join(', ')}`,
    });
  }
  return pending;
}

/** Migrations whose file was edited after it had been applied. The CLI does not look at this. */
export function editedMigrations(
  local: readonly Migration[],
  recorded: readonly RecordedMigration[],
): readonly Migration[] {
  const texts = new Map(recorded.map((it) => [it.version, it.statements]));
  return local.filter(({ version, statements }) => {
    const then = texts.get(version);
    return then != null && JSON.stringify(then) !== JSON.stringify(statements);
  });
}

const nameOf = ({ version, name }: { readonly version: string; readonly name: string }) =>
  name === '' ? version : `${version}_${name}`;

/** The table in which the Supabase CLI remembers; it adds the columns to tables of its first releases. */
export const HISTORY_SQL: readonly string[] = [
  'create schema if not exists supabase_migrations',
  'create table if not exists supabase_migrations.schema_migrations (version text not null primary key)',
  'alter table supabase_migrations.schema_migrations add column if not exists statements text[]',
  'alter table supabase_migrations.schema_migrations add column if not exists name text',
];

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
