import type pg from 'pg';
import { readCatalog } from '../../connectors/postgres/catalog.ts';
import { statementError } from '../../connectors/postgres/connection.ts';
import { judgeSlot } from '../../connectors/postgres/judge-slot.ts';
import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import { planPublication } from '../../connectors/postgres/publication.ts';
import { readSlot } from '../../connectors/postgres/slot.ts';
import {
  editedMigrations,
  pendingMigrations,
  readMigrations,
} from '../../connectors/supabase/migrations.ts';
import { readTargetTables } from '../../consumers/target-tables.ts';
import type { Mapping } from '../../core/entity.ts';
import { ERROR_POLICY, TandemError } from '../../core/errors.ts';
import { splitTableName } from '../../core/mirror-table.ts';
import { readUsages, tablesWithSecrets } from '../../core/usage.ts';
import { readStream, throughOf } from '../read-stream.ts';
import { recordedMigrations } from '../apply-migrations.ts';
import type { Config } from '../config.ts';
import { readAccess } from '../list-tables.ts';
import type { LoadedMapping } from '../load-mapping.ts';
import { checkConnection } from './connection-check.ts';
import { checkKafka } from './kafka-checks.ts';
import { checkMirror, MIRROR } from './drift-check.ts';
import { checkMappingModule } from './mapping-checks.ts';
import { failure, ok, warning, type CheckResult, type Topic } from './result.ts';
import { checkSource } from './source-checks.ts';
import { readSourceFacts, systemIdentifier, type SourceFacts } from './source-facts.ts';
import { checkTables, mappedTables } from './table-checks.ts';
import {
  checkMigrations,
  MIGRATIONS,
  checkTarget,
  checkTargetTables,
  type MigrationState,
} from './target-checks.ts';
import { readTargetFacts, type TargetFacts } from './target-facts.ts';

type CheckOptions = {
  readonly config: Config;
  /** Null where it does not load: then the databases are checked all the same. */
  readonly loaded: LoadedMapping | null;
};

/** Runs every check that can be run. Only reads. */
export async function runChecks({ config, loaded }: CheckOptions): Promise<readonly CheckResult[]> {
  const [source, target] = await Promise.all([
    checkConnection(config.source),
    checkConnection(config.target),
  ]);
  try {
    const results = [...source.results, ...target.results];
    const mapping = loaded?.mapping ?? null;
    const sourceFacts =
      source.client === null ? null : await readSourceFacts(source.client, config.publication);
    const targetFacts = target.client === null ? null : await readTargetFacts(target.client);

    if (source.client !== null && sourceFacts !== null) {
      const slot = await readSlot(source.client, config.slot);
      results.push(
        ...checkSource(sourceFacts, { slot, heartbeatSeconds: config.heartbeatSeconds }),
      );
      if (mapping !== null) {
        results.push(...(await sourceTables(source.client, mapping, config, sourceFacts)));
        results.push(...(await checkKafka(source.client, mapping, config)));
      }
    }
    if (target.client !== null && targetFacts !== null) {
      results.push(...checkTarget(targetFacts, config.backfillWorkers));
      results.push(...(await targetSide(target.client, loaded, targetFacts)));
    } else if (mapping !== null) results.push(...(await checkMappingModule(mapping, null)));
    if (source.client !== null && target.client !== null && sourceFacts && targetFacts) {
      results.push(...checkClocks(sourceFacts, targetFacts));
      results.push(await checkSame(target.client, sourceFacts, targetFacts));
      results.push(...(await checkStream(source.client, target.client, config)));
    }
    return results;
  } finally {
    await Promise.all([source.client?.end(), target.client?.end()]);
  }
}

async function sourceTables(
  client: pg.Client,
  mapping: Mapping,
  { publication }: Config,
  source: SourceFacts,
): Promise<readonly CheckResult[]> {
  const tables = mappedTables(mapping);
  const catalog = await readCatalog(client, 'source', tables);
  const access = await readAccess(client, tables);
  const publicationPlan = await planOrNull(client, mapping, publication, source.version);
  return checkTables(tables, { catalog, access, source, publication, publicationPlan });
}

async function planOrNull(
  client: pg.Client,
  mapping: Mapping,
  name: string,
  serverVersion: number,
): Promise<readonly string[] | null> {
  try {
    const tables = await mirrorTables(client, wantedOf(mapping));
    return await planPublication(client, {
      name,
      tables: [...tables.values()],
      serverVersion,
      listedTables: tablesWithSecrets(readUsages(mapping).tables),
    });
  } catch (error) {
    if (error instanceof TandemError && error.code === 'TABLE_MISSING') return null;
    throw error;
  }
}

/** What the mirror needs of each legacy table. */
function wantedOf(mapping: Mapping) {
  return new Map(
    [...readUsages(mapping).tables].map(([name, { key, columns }]) => [
      name,
      { key, columns: [...columns] },
    ]),
  );
}

async function targetSide(
  client: pg.Client,
  loaded: LoadedMapping | null,
  facts: TargetFacts,
): Promise<readonly CheckResult[]> {
  if (loaded === null) return [];
  const { mapping } = loaded;
  const read = () => migrationState(client, loaded.migrationsFolder);
  const state = await unlessForbidden(MIGRATIONS, read);
  const migrations = isResult(state) ? state : checkMigrations(state);
  const isPending = !isResult(state) && state.pending.length > 0;
  const isSetUp = !isPending && 'tandem' in facts.schemas;
  const names = [...new Set(mapping.entities.flatMap(({ targets }) => targets))].map(
    splitTableName,
  );
  const catalog = await readCatalog(client, 'target', names);
  const access = await readAccess(client, names);
  const tables = await readTargetTables(client, mapping);
  return [
    migrations,
    ...checkTargetTables(mapping, { catalog, access, facts, isSetUp }),
    ...(await checkMappingModule(mapping, { client, tables, isSetUp })),
    await unlessForbidden(MIRROR, () => checkMirror(client)),
  ];
}

async function migrationState(client: pg.Client, folder: string | null): Promise<MigrationState> {
  if (folder === null) return { folder, total: 0, pending: [], edited: [], diverged: null };
  const local = await readMigrations(folder);
  const recorded = await recordedMigrations(client);
  const edited = editedMigrations(local, recorded);
  const state = { folder, total: local.length, edited };
  try {
    return { ...state, pending: pendingMigrations(local, recorded), diverged: null };
  } catch (error) {
    if (!(error instanceof TandemError) || error.code !== 'MIGRATION_DIVERGED') throw error;
    return { ...state, pending: [], diverged: String(error.details['problem']) };
  }
}

/** What the role may not even read fails the check that wanted to know it, not all of them. */
async function unlessForbidden<T>(topic: Topic, read: () => Promise<T>): Promise<T | CheckResult> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TandemError) || error.code !== 'PRIVILEGE_MISSING') throw error;
    const mend = 'The grants that the check of the create privilege names.';
    return failure(topic, 'the role may not read it', mend);
  }
}

const isResult = (value: object): value is CheckResult => 'subject' in value;

const CLOCK_SECONDS = 2;

function checkClocks(source: SourceFacts, target: TargetFacts): readonly CheckResult[] {
  const topic: Topic = {
    subject: 'target',
    name: 'clocks',
    why: 'Lag is measured from the clock of the source to the commit in the target.',
  };
  const apart = source.clockAheadSeconds - target.clockAheadSeconds;
  const found = `${Math.abs(apart).toFixed(1)} s apart`;
  if (Math.abs(apart) < CLOCK_SECONDS) return [ok(topic, found)];
  return [
    warning(
      topic,
      `${found}, the source is ${apart > 0 ? 'ahead' : 'behind'}`,
      'Let both servers follow NTP.',
    ),
  ];
}

async function checkSame(
  target: pg.Client,
  sourceFacts: SourceFacts,
  targetFacts: TargetFacts,
): Promise<CheckResult> {
  const topic: Topic = {
    subject: 'target',
    name: 'another database',
    why: 'Source and target in one database would feed each other.',
  };
  const identifier = await systemIdentifier(target);
  const isSame =
    identifier !== null &&
    identifier === sourceFacts.systemIdentifier &&
    sourceFacts.databaseOid === targetFacts.databaseOid;
  return isSame
    ? failure(
        topic,
        `both are ${targetFacts.database} on one server`,
        ERROR_POLICY.SAME_DATABASE.hint,
      )
    : ok(topic, 'source and target are two databases');
}

async function readNamed(sessions: Parameters<typeof readStream>[0], config: Config) {
  try {
    return await readStream(sessions, config);
  } catch (error) {
    throw statementError('target', error, 'read position');
  }
}

/** Whether the slot continues what the target was fed from. Nothing to say before the setup. */
async function checkStream(
  source: pg.Client,
  target: pg.Client,
  config: Config,
): Promise<readonly CheckResult[]> {
  const topic: Topic = {
    subject: 'target',
    name: 'position',
    why: 'The slot has to go on where the target stands: anything else is a gap.',
  };
  const facts = await unlessForbidden(topic, () => readNamed({ source, target }, config));
  if (isResult(facts)) return [facts];
  const { stored, memory, found } = facts;
  if (stored === null) return [ok(topic, 'nothing was streamed yet')];
  const verdict = judgeSlot(memory, found, throughOf(config, stored));
  if (verdict.kind === 'refused') {
    const facts = Object.entries(verdict.details).map(([name, value]) => `${name}=${value}`);
    return [failure(topic, [verdict.code, ...facts].join(' '), ERROR_POLICY[verdict.code].hint)];
  }
  return [ok(topic, `${stored.position}, which the slot can go on from`)];
}
