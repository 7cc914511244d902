import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type pg from 'pg';
import { statementError, textRows, withClient } from '../connectors/postgres/connection.ts';
import { judgeSlot } from '../connectors/postgres/judge-slot.ts';
import { withBoth } from '../connectors/postgres/pair.ts';
import {
  ensurePublication,
  planPublication,
  withdrawTables,
} from '../connectors/postgres/publication.ts';
import {
  createSlot,
  creationSql,
  dropSlot,
  readSlot,
  type SlotState,
} from '../connectors/postgres/slot.ts';
import { literal } from '../connectors/postgres/sql.ts';
import { identifySource, type SourceIdentity } from '../connectors/postgres/source-identity.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import {
  HISTORY_SQL,
  pendingMigrations,
  readMigrations,
  type Migration,
} from '../connectors/supabase/migrations.ts';
import { controlSchemaSql } from '../consumers/control-schema.ts';
import type { TablePlan } from '../consumers/plan-mirror.ts';
import { readPosition, storePosition } from '../consumers/position.ts';
import { plansFor, settleMirror } from '../consumers/settle-mirror.ts';
import { readTableRecords, settleEntities } from '../consumers/table-state.ts';
import { TandemError } from '../core/errors.ts';
import { splitTableName } from '../core/mirror-table.ts';
import type { Observer } from '../core/ports.ts';
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
import { readStream, throughOf } from './read-stream.ts';
import { sourceFacts } from './settle.ts';

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
  /** How the stream is to go on. Default: as it went last. */
  readonly through?: 'slot' | 'log';
  /** Tables that the mapping does not read any more leave the publication. */
  readonly withdraw: boolean;
  readonly observer: Observer;
  readonly report: (step: SetupStep) => void;
  /** Called when the slot has been waiting for the end of transactions for some seconds. */
  readonly waiting: (pids: readonly number[]) => void;
};

type Sessions = {
  readonly source: pg.Client;
  readonly target: pg.Client;
  readonly identity: SourceIdentity;
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
  const { mapping } = loaded;
  if (options.slot === 'replace' && config.kafka?.backfillFrom === 'log') {
    const problem = 'a snapshot in the log belongs to its slot: --new-slot is for source';
    throw new TandemError('CONFIG_INVALID', { setting: 'BACKFILL_FROM=log', problem });
  }
  await withSessions(config, async (sessions) => {
    const { source, target, identity } = sessions;
    // Two setups at once would run into each other.
    await run(target, `select pg_advisory_lock(hashtextextended('tandem setup', 0))`, 'setup');
    await setUpControl(target, report);
    await setUpMigrations(options, target);
    await setUpControlViews(options, target);
    if (options.slot === 'keep') await refuseGap(options, sessions);
    const plans = await setUpMirror(options, sessions);
    const tables = plans.flatMap(({ table }) => table ?? []);
    const statements = await ensurePublication(source, {
      name: config.publication,
      tables,
      serverVersion: identity.serverVersion,
      listedTables: tablesWithSecrets(readUsages(mapping).tables),
    });
    if (options.withdraw) await withdraw(config, sessions);
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
  await withSessions(config, async ({ source, target, identity }) => {
    plan.target.push(...controlSchemaSql());
    const pending = await pendingIn(loaded.migrationsFolder, target);
    if (pending.length > 0) plan.target.push(...HISTORY_SQL, ...pending.flatMap(migrationSql));
    if (loaded.controlViewsFile !== null) plan.target.push(viewsSql(loaded.controlViewsFile));
    const facts = await sourceFacts(source, config, loaded.mapping, true);
    const [there] = await textRows(target, `select to_regclass('tandem.mirror')`);
    const records = there?.[0] == null ? new Map() : await readTableRecords(target);
    const plans = await plansFor(target, facts, records);
    plan.target.push(...plans.flatMap(({ statements }) => statements));
    const tables = plans.flatMap(({ table }) => table ?? []);
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
  work: (sessions: Sessions) => Promise<void>,
): Promise<void> {
  await withBoth(config, 'setup', async (source, target) => {
    const identity = await identifySource(source);
    await refuseSame(source, target, identity);
    await work({ source, target, identity });
  });
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
  try {
    await inTransaction(client, async () => {
      for (const statement of statements) await client.query(statement);
    });
  } catch (error) {
    throw statementError('target', error, step);
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

/**
 * Makes the mirror's tables fit. What is read anew is recorded before the publication is touched, so
 * that a kill in between does not make it look complete.
 *
 * @throws TandemError `TABLE_MISSING` where the source lacks something before the first load; later,
 *   the table concerned stops
 */
async function setUpMirror(
  { config, loaded, observer, report, slot }: SetupOptions,
  { source, target }: Sessions,
): Promise<readonly TablePlan[]> {
  const { mapping } = loaded;
  const facts = await sourceFacts(source, config, mapping, true);
  const isStreaming = slot === 'keep' && (await readPosition(target, config.stream)) !== null;
  if (!isStreaming) {
    const plans = await plansFor(target, facts, await readTableRecords(target));
    const lacking = plans.filter(({ kind }) => kind === 'stop');
    const missing = lacking.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
    if (lacking.length > 0) throw new TandemError('TABLE_MISSING', { missing });
  }
  const plans = await settleMirror(target, facts, isStreaming, observer);
  await settleEntities(target, mapping);
  const mirrored = plans.filter(({ table }) => table !== null).length;
  report({
    step: 'mirror',
    outcome: plans.some(({ statements }) => statements.length > 0) ? 'made' : 'there',
    detail: `${mirrored} tables in the schema legacy`,
  });
  return plans;
}

/** Their changes were not taken for a while: should the mapping read them again, they are new. */
async function withdraw({ publication }: Config, { source, target }: Sessions): Promise<void> {
  const records = await readTableRecords(target);
  const removed = [...records.values()].filter(({ state }) => state === 'removed');
  await withdrawTables(
    source,
    publication,
    removed.map(({ name }) => splitTableName(name)),
  );
  await run(target, `delete from tandem.mirror where state = 'removed'`, 'mirror');
}

/** Another server, or a slot that cannot go on: before anything is compared with it. */
async function refuseGap(
  { config, through }: Pick<SetupOptions, 'config' | 'through'>,
  sessions: Sessions,
): Promise<void> {
  const { stored, memory, found } = await readStream(sessions, config);
  const verdict = judgeSlot(memory, found, through ?? throughOf(config, stored));
  if (verdict.kind === 'refused') throw new TandemError(verdict.code, verdict.details);
}

const WAITING_MS = 3000;

async function setUpSlot(options: SetupOptions, sessions: Sessions): Promise<void> {
  const { config, report } = options;
  const { source } = sessions;
  const { stored, found } = await readStream(sessions, config);
  const { slot } = found;
  if (slot.exists && options.slot === 'keep') {
    if (stored === null) await remember(config, sessions, foundSlot(slot));
    report({ step: 'slot', outcome: 'there', detail: config.slot });
    return;
  }
  if (slot.exists) await dropSlot(source, config.slot);
  const consistentPoint = await createPatiently(options, source);
  await remember(config, sessions, { consistentPoint });
  const detail = `${config.slot}, from ${formatLsn(consistentPoint)} on`;
  report({ step: 'slot', outcome: 'made', detail });
}

type Beginning = {
  readonly consistentPoint: Lsn;
  /** Default: there. */
  readonly position?: Lsn;
  /** Default: there. */
  readonly connectorBegan?: Lsn;
};

/**
 * A slot that was there before us (or whose setup ended before its record), and that somebody may
 * have read for long. What it still brings was written behind its restart point, so rows that are
 * copied count as that old: then no change has to count as newer than it says, which in a log from
 * the time before would put an old one over newer ones.
 */
function foundSlot({ confirmedFlushLsn, restartLsn }: SlotState): Beginning {
  const position = confirmedFlushLsn ?? (0n as Lsn);
  return { position, consistentPoint: restartLsn ?? position, connectorBegan: 0n as Lsn };
}

async function remember(
  { stream, slot }: Config,
  { target, identity }: Sessions,
  { consistentPoint, position = consistentPoint, connectorBegan }: Beginning,
): Promise<void> {
  const { systemIdentifier: server, timeline } = identity;
  const places = {
    consistentPoint: formatLsn(consistentPoint),
    position: formatLsn(position),
    ...(connectorBegan === undefined ? {} : { connectorBegan: formatLsn(connectorBegan) }),
  };
  try {
    await storePosition(target, { stream, slot, systemIdentifier: server, timeline, ...places });
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
  return await withClient(config.source, 'setup', async (client) => {
    const rows = await textRows(
      client,
      `select pid from pg_stat_activity where backend_xid is not null order by xact_start`,
    );
    return rows.map(([pid]) => Number(pid));
  });
}
