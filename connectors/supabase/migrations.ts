import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TandemError } from '../../core/errors.ts';
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
    return Array.isArray(then) && JSON.stringify(then) !== JSON.stringify(statements);
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
