import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type pg from 'pg';
import { catalogName, readCatalog, type CatalogTable } from '../connectors/postgres/catalog.ts';
import { openClient, statementError, textRows } from '../connectors/postgres/connection.ts';
import { judgeSlot } from '../connectors/postgres/judge-slot.ts';
import { mirrorTables } from '../connectors/postgres/mirror-tables.ts';
import { ensurePublication, planPublication } from '../connectors/postgres/publication.ts';
import { createSlot, creationSql, dropSlot, readSlot } from '../connectors/postgres/slot.ts';
import { literal } from '../connectors/postgres/sql.ts';
import { identifySource, type SourceIdentity } from '../connectors/postgres/source-identity.ts';
import {
  HISTORY_SQL,
  pendingMigrations,
  readMigrations,
  type Migration,
} from '../connectors/supabase/migrations.ts';
import { controlSchemaSql } from '../consumers/control-schema.ts';
import { mirrorSchemaSql } from '../consumers/mirror-schema.ts';
import { storePosition } from '../consumers/position.ts';
import type { Mapping } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import { readUsages, tablesWithSecrets } from '../core/usage.ts';
import { formatLsn, type Lsn } from '../core/version.ts';
import {
  applyMigration,
  migrationSql,
  openMigrationClient,
  prepareHistory,
  recordedMigrations,
} from './apply-migrations.ts';
import { systemIdentifier } from './check/source-facts.ts';
import type { Config } from './config.ts';
import type { LoadedMapping } from './load-mapping.ts';
import { readStream } from './read-stream.ts';

/** What a step did. */
export type SetupStep = {
  readonly step:
    'control schema' | 'migrations' | 'control views' | 'mirror' | 'publication' | 'slot';
  readonly outcome: 'made' | 'there';
  readonly detail: string;
};

export type SetupOptions = {
  readonly config: Config;
  readonly loaded: LoadedMapping;
  /** Replaces a slot that is there: what the target was fed before has to be loaded again. */
  readonly slot: 'keep' | 'replace';
  readonly report: (step: SetupStep) => void;
  /** Called when the slot has been waiting for the end of transactions for some seconds. */
  readonly waiting: (pids: readonly number[]) => void;
};

type Sessions = {
  readonly source: pg.Client;
  readonly target: pg.Client;
  readonly identity: SourceIdentity;
  readonly tables: readonly MirrorTable[];
};

/**
 * Makes everything that streaming needs and that is not there yet; safe to repeat. The slot comes
 * last: from then on the source keeps WAL.
 *
 * @throws TandemError `SAME_DATABASE`, `TABLE_MISSING`, `MIGRATION_DIVERGED`, `PRIVILEGE_MISSING`,
 *   `WAL_LEVEL`, and what `judgeSlot` refuses
 */
export async function setUp(options: SetupOptions): Promise<void> {
  const { config, loaded, report } = options;
  await withSessions(config, loaded.mapping, async (sessions) => {
    const { source, target, tables, identity } = sessions;
    // Two setups at once would run into each other.
    await run(target, `select pg_advisory_lock(hashtextextended('tandem setup', 0))`, 'setup');
    await setUpControl(target, report);
    await setUpMigrations(options, target);
    await setUpControlViews(options, target);
    await setUpMirror(sessions, loaded.mapping, report);

    const statements = await ensurePublication(source, {
      name: config.publication,
      tables,
      serverVersion: identity.serverVersion,
      listedTables: tablesWithSecrets(readUsages(loaded.mapping).tables),
    });
    report({
      step: 'publication',
      outcome: statements.length === 0 ? 'there' : 'made',
      detail: `${config.publication}, ${tables.length} tables`,
    });
    await setUpSlot(options, sessions);
  });
}

/** The SQL that `setUp` would run now, by database; nothing is changed. */
export async function planSetup(
  options: Pick<SetupOptions, 'config' | 'loaded' | 'slot'>,
): Promise<{ readonly target: readonly string[]; readonly source: readonly string[] }> {
  const { config, loaded } = options;
  const plan = { target: [] as string[], source: [] as string[] };
  await withSessions(config, loaded.mapping, async ({ source, target, tables, identity }) => {
    plan.target.push(...controlSchemaSql());
    const pending = await pendingIn(loaded.migrationsFolder, target);
    if (pending.length > 0) plan.target.push(...HISTORY_SQL, ...pending.flatMap(migrationSql));
    if (loaded.controlViewsFile !== null) plan.target.push(viewsSql(loaded.controlViewsFile));
    plan.target.push(...(await mirrorPlan(target, loaded.mapping, tables)));
    const publication = {
      name: config.publication,
      tables,
      serverVersion: identity.serverVersion,
      listedTables: tablesWithSecrets(readUsages(loaded.mapping).tables),
    };
    plan.source.push(...(await planPublication(source, publication)));
    const slot = await readSlot(source, config.slot);
    if (slot.exists && options.slot === 'replace') {
      plan.source.push(`select pg_drop_replication_slot('${config.slot}')`);
    }
    if (!slot.exists || options.slot === 'replace') {
      plan.source.push(`select ${creationSql(identity).replace('$1', literal(config.slot))}`);
    }
  });
  return plan;
}

async function withSessions(
  config: Config,
  mapping: Mapping,
  work: (sessions: Sessions) => Promise<void>,
): Promise<void> {
  const source = await openClient(config.source, 'setup');
  try {
    const target = await openClient(config.target, 'setup');
    try {
      const identity = await identifySource(source);
      await refuseSame(source, target, identity);
      const wanted = [...readUsages(mapping).tables].map(
        ([name, { key, columns }]) => [name, { key, columns: [...columns] }] as const,
      );
      const tables = [...(await mirrorTables(source, new Map(wanted))).values()];
      await work({ source, target, identity, tables });
    } finally {
      await target.end();
    }
  } finally {
    await source.end();
  }
}

async function refuseSame(
  source: pg.Client,
  target: pg.Client,
  identity: SourceIdentity,
): Promise<void> {
  if ((await systemIdentifier(target)) !== identity.systemIdentifier) return;
  const oid = 'select oid from pg_database where datname = current_database()';
  const [[one] = []] = await textRows(source, oid);
  const [[other] = []] = await textRows(target, oid);
  if (one === other) throw new TandemError('SAME_DATABASE', { database: identity.database });
}

async function run(client: pg.Client, sql: string, step: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    throw statementError('target', error, step);
  }
}

/** All or nothing. */
async function runAll(client: pg.Client, statements: readonly string[], step: string) {
  await run(client, 'begin', step);
  try {
    for (const statement of statements) await run(client, statement, step);
    await run(client, 'commit', step);
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function setUpControl(target: pg.Client, report: SetupOptions['report']): Promise<void> {
  const [[there] = []] = await textRows(target, `select to_regclass('tandem.position')`);
  await runAll(target, controlSchemaSql(), 'control schema');
  report({
    step: 'control schema',
    outcome: typeof there === 'string' ? 'there' : 'made',
    detail: 'schemas tandem and legacy',
  });
}

async function pendingIn(folder: string | null, target: pg.Client): Promise<readonly Migration[]> {
  if (folder === null) return [];
  return pendingMigrations(await readMigrations(folder), await recordedMigrations(target));
}

async function setUpMigrations(
  { config, loaded, report }: SetupOptions,
  target: pg.Client,
): Promise<void> {
  const folder = loaded.migrationsFolder;
  const pending = await pendingIn(folder, target);
  if (pending.length === 0) {
    const detail = folder === null ? 'the mapping brings none' : 'all applied';
    report({ step: 'migrations', outcome: 'there', detail });
    return;
  }
  const client = await openMigrationClient(config.target);
  try {
    await prepareHistory(client);
    for (const migration of pending) {
      const isNew = await applyMigration(client, migration);
      const outcome = isNew ? 'made' : 'there';
      report({ step: 'migrations', outcome, detail: migration.file });
    }
  } finally {
    await client.end();
  }
}

const viewsSql = (file: string) => readFileSync(file, 'utf8').trim().replace(/;$/, '');

/** Every time: a view is cheap to make again, and the file may have changed. */
async function setUpControlViews(
  { loaded, report }: SetupOptions,
  target: pg.Client,
): Promise<void> {
  const file = loaded.controlViewsFile;
  if (file === null) return;
  const sql = viewsSql(file);
  const names = [...sql.matchAll(/create or replace view (\S+)/g)].map(([, name]) => name ?? '');
  const [row] = await textRows(
    target,
    'select coalesce(bool_and(to_regclass(name) is not null), false) from unnest($1::text[]) as view (name)',
    [names],
  );
  await runAll(target, [sql], 'control views');
  report({
    step: 'control views',
    outcome: row?.[0] === 't' ? 'there' : 'made',
    detail: `${names.length} views in ${basename(file)}`,
  });
}

async function setUpMirror(
  { target, tables }: Sessions,
  mapping: Mapping,
  report: SetupOptions['report'],
): Promise<void> {
  const statements = await mirrorPlan(target, mapping, tables);
  await runAll(target, statements, 'mirror');
  const isNew = statements.some(isDefinition);
  report({
    step: 'mirror',
    outcome: isNew ? 'made' : 'there',
    detail: `${tables.length} tables in the schema legacy`,
  });
}

/**
 * What the mirror lacks. A statement for what is there already would change nothing and yet wait
 * for a lock that a running stream holds.
 */
async function mirrorPlan(
  target: pg.Client,
  mapping: Mapping,
  tables: readonly MirrorTable[],
): Promise<readonly string[]> {
  const lookups = new Map(
    [...readUsages(mapping).tables.values()].map(({ name, lookups }) => [name, lookups]),
  );
  const names = tables.map(({ name }) => ({ schema: 'legacy', relation: name }));
  const catalog = await readCatalog(target, 'target', names);
  return tables.flatMap((table) => {
    const twin = catalog.get(catalogName({ schema: 'legacy', relation: table.name }));
    const statements = mirrorSchemaSql([table], lookups);
    return twin === undefined ? statements : statements.filter((it) => !isThere(twin, it));
  });
}

const ADDS_COLUMN = /^\s*alter table \S+ add column if not exists "((?:[^"]|"")+)"/;
const CREATES_INDEX = /^\s*create index if not exists "((?:[^"]|"")+)"/;

function isThere(twin: CatalogTable, statement: string): boolean {
  if (/^\s*create table if not exists/.test(statement)) return true;
  const plain = (quoted: string | undefined) => quoted?.replaceAll('""', '"');
  const column = plain(ADDS_COLUMN.exec(statement)?.[1]);
  if (column !== undefined) return twin.columns.some(({ name }) => name === column);
  const index = plain(CREATES_INDEX.exec(statement)?.[1]);
  return index !== undefined && twin.indexes.some(({ name }) => name === index);
}

/** Not a record of what is read, which is written every time. */
const isDefinition = (statement: string) => /^\s*(create|alter) /.test(statement);

const WAITING_MS = 3000;

async function setUpSlot(options: SetupOptions, sessions: Sessions): Promise<void> {
  const { config, report } = options;
  const { source } = sessions;
  const { stored, memory, found } = await readStream(sessions, config);
  const { slot } = found;
  if (options.slot === 'keep') {
    const verdict = judgeSlot(memory, found);
    if (verdict.kind === 'refused') throw new TandemError(verdict.code, verdict.details);
  }
  if (slot.exists && options.slot === 'keep') {
    // A setup that ended between the slot and its record: nothing was read from the slot yet.
    if (stored === null) await remember(config, sessions, slot.confirmedFlushLsn);
    report({ step: 'slot', outcome: 'there', detail: config.slot });
    return;
  }
  if (slot.exists) await dropSlot(source, config.slot);
  const consistentPoint = await createPatiently(options, source);
  await remember(config, sessions, consistentPoint);
  const detail = `${config.slot}, from ${formatLsn(consistentPoint)} on`;
  report({ step: 'slot', outcome: 'made', detail });
}

async function remember(
  { stream, slot }: Config,
  { target, identity }: Sessions,
  consistentPoint: Lsn | null,
): Promise<void> {
  const { systemIdentifier: server, timeline } = identity;
  const point = formatLsn(consistentPoint ?? (0n as Lsn));
  const stored = { stream, slot, systemIdentifier: server, timeline, consistentPoint: point };
  try {
    await storePosition(target, stored);
  } catch (error) {
    throw statementError('target', error, 'store position');
  }
}

/** The source waits for every transaction that is writing; a person should know which. */
async function createPatiently({ config, waiting }: SetupOptions, source: pg.Client): Promise<Lsn> {
  const timer = setTimeout(() => {
    writers(config).then(waiting, () => undefined);
  }, WAITING_MS);
  try {
    return await createSlot(source, config.slot);
  } finally {
    clearTimeout(timer);
  }
}

async function writers(config: Config): Promise<readonly number[]> {
  const client = await openClient(config.source, 'setup');
  try {
    const rows = await textRows(
      client,
      `select pid from pg_stat_activity where backend_xid is not null order by xact_start`,
    );
    return rows.map(([pid]) => Number(pid));
  } finally {
    await client.end();
  }
}
