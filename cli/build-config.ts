import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Database, Side } from '../connectors/postgres/connection.ts';
import type { Config, SettingName, Settings } from './config.ts';
import type { DatabaseAddress } from './database-url.ts';
import { kafkaConfig } from './kafka-config.ts';
import { configError, strongerOf, type Problem, type Reading } from './read-settings.ts';
import { offersTls, tlsOptions, type TlsMode } from './tls.ts';

/**
 * The typed configuration. `prefer` is not settled yet: see `settleTls`.
 *
 * @throws TandemError `CONFIG_INVALID` with everything that is wrong
 */
export function buildConfig(reading: Reading, workFolder: string): Config {
  const { settings } = reading;
  if (settings === null) throw configError(reading.problems);
  const source = sourceOf(reading, settings, workFolder);
  const target = targetOf(reading, settings, workFolder);
  const problems = [...source.problems, ...target.problems];
  const kafka = kafkaConfig(settings, workFolder, problems);
  if (problems.length > 0 || source.database === null || target.database === null) {
    throw configError(problems);
  }
  return {
    source:
      kafka === null || settings.HEARTBEAT_SECONDS === 0
        ? source.database
        : marked(source.database),
    target: target.database,
    sourceTls: source.mode,
    targetTls: target.mode,
    slot: settings.TANDEM_SLOT,
    publication: settings.TANDEM_PUBLICATION,
    stream: settings.STREAM,
    mapping: settings.MAPPING ?? null,
    migrations: settings.MIGRATIONS ?? null,
    batchMaxEvents: settings.BATCH_MAX_EVENTS,
    batchMaxBytes: settings.BATCH_MAX_BYTES,
    maxRootsPerBatch: settings.MAX_ROOTS_PER_BATCH,
    memoryLimitBytes: settings.MEMORY_LIMIT,
    backfillWorkers: settings.BACKFILL_WORKERS,
    chunkRows: settings.CHUNK_ROWS,
    heartbeatSeconds: settings.HEARTBEAT_SECONDS,
    statusSeconds: settings.STATUS_SECONDS,
    onTruncate: settings.ON_TRUNCATE,
    stopShare: settings.STOP_SHARE,
    verifyEveryMs: settings.VERIFY_EVERY ?? null,
    metricsPort: settings.METRICS_PORT ?? null,
    metricsHost: settings.METRICS_HOST,
    readySeconds: settings.READY_SECONDS,
    kafka,
    logLevel: settings.LOG_LEVEL,
    logFormat: settings.LOG_FORMAT,
  };
}

/** Places of its log are compared with what Debezium tells of commits: see `notedWalEnd`. */
const marked = (database: Database): Database => ({ ...database, marks: true });

type Found = {
  readonly database: Database | null;
  readonly mode: TlsMode;
  readonly problems: readonly Problem[];
};
type Tls = {
  readonly mode: TlsMode | null;
  readonly modeSetting: SettingName;
  readonly ca: string | null;
  readonly caSetting: SettingName;
};

/** The source alone, for `tandem init`; null where none is given. */
export function sourceOf(reading: Reading, settings: Settings, workFolder: string): Found {
  const chosen = strongerOf(reading, 'SOURCE_URL', 'LEGACY_DB_HOST');
  if (chosen === null) return missing('SOURCE_URL', 'is not given');
  if (typeof chosen !== 'string') return { database: null, mode: 'prefer', problems: [chosen] };
  const tls: Tls = {
    mode:
      settings.SOURCE_SSL ?? (chosen === 'LEGACY_DB_HOST' ? settings.LEGACY_DB_SSL : null) ?? null,
    modeSetting: 'SOURCE_SSL',
    ca: settings.SOURCE_SSL_CA ?? null,
    caSetting: 'SOURCE_SSL_CA',
  };
  const address = chosen === 'SOURCE_URL' ? settings.SOURCE_URL : addressOfParts(settings);
  if (address === undefined) {
    return missing('LEGACY_DB_NAME, LEGACY_DB_USER', 'are needed beside LEGACY_DB_HOST');
  }
  return makeDatabase('source', address, tls, workFolder);
}

function targetOf(reading: Reading, settings: Settings, workFolder: string): Found {
  const chosen = strongerOf(reading, 'TARGET_URL', 'SUPABASE_DB_URL');
  if (chosen === null) return missing('TARGET_URL', 'is not given');
  if (typeof chosen !== 'string') return { database: null, mode: 'prefer', problems: [chosen] };
  const address = chosen === 'TARGET_URL' ? settings.TARGET_URL : settings.SUPABASE_DB_URL;
  if (address === undefined) return missing('TARGET_URL', 'is not given');
  const tls: Tls = {
    mode: settings.TARGET_SSL ?? null,
    modeSetting: 'TARGET_SSL',
    ca: settings.TARGET_SSL_CA ?? null,
    caSetting: 'TARGET_SSL_CA',
  };
  return makeDatabase('target', address, tls, workFolder);
}

function missing(setting: string, problem: string): Found {
  const advice =
    'set it in the environment, in .env (`tandem init` writes one) or on the command line';
  const problems = [{ setting, from: 'nowhere', problem: `${problem}; ${advice}` }];
  return { database: null, mode: 'prefer', problems };
}

function addressOfParts(settings: Settings): DatabaseAddress | undefined {
  const { LEGACY_DB_HOST: host, LEGACY_DB_NAME: database, LEGACY_DB_USER: user } = settings;
  if (host === undefined || database === undefined || user === undefined) return undefined;
  return {
    host,
    port: settings.LEGACY_DB_PORT ?? 5432,
    database,
    user,
    password: settings.LEGACY_DB_PASSWORD ?? null,
    sslmode: null,
    sslrootcert: null,
    sslcert: null,
    sslkey: null,
    options: null,
    connectTimeoutSeconds: null,
  };
}

function makeDatabase(side: Side, address: DatabaseAddress, tls: Tls, workFolder: string): Found {
  const problems: Problem[] = [];
  const contradiction =
    tls.mode !== null && address.sslmode !== null && tls.mode !== address.sslmode;
  if (contradiction) {
    problems.push({
      setting: tls.modeSetting,
      from: 'its value and that in the URL',
      problem: `says ${tls.mode}, while sslmode in the URL says ${address.sslmode}; keep one of them`,
    });
  }
  const read = (file: string | null, setting: string): string | null => {
    if (file === null || file === 'system') return null;
    try {
      return readFileSync(resolve(workFolder, file), 'utf8');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      problems.push({ setting, from: file, problem: `the file cannot be read (${code})` });
      return null;
    }
  };
  const rootFile = tls.ca ?? address.sslrootcert;
  const mode = tls.mode ?? address.sslmode ?? (rootFile === null ? 'prefer' : 'verify-full');
  const files = {
    ca: read(rootFile ?? libpqRootFile(mode), tls.caSetting),
    certificate: read(address.sslcert, 'sslcert'),
    key: read(address.sslkey, 'sslkey'),
  };
  const client: Database['client'] = {
    host: address.host,
    port: address.port,
    database: address.database,
    user: address.user,
    ssl: tlsOptions(mode, files),
  };
  if (address.password !== null) client.password = address.password;
  if (address.options !== null) client.options = address.options;
  if (address.connectTimeoutSeconds !== null && address.connectTimeoutSeconds > 0) {
    client.connectionTimeoutMillis = address.connectTimeoutSeconds * 1000;
  }
  return { database: { side, client }, mode, problems };
}

/** libpq looks here for the authorities to trust when none are named. */
function libpqRootFile(mode: TlsMode): string | null {
  const file = join(homedir(), '.postgresql', 'root.crt');
  return mode !== 'disable' && mode !== 'prefer' && existsSync(file) ? file : null;
}

/** Settles `prefer`: TLS where the server offers it. The driver knows only yes and no. */
export async function settleTls(database: Database, mode: TlsMode): Promise<Database> {
  if (mode !== 'prefer') return database;
  const { host = 'localhost', port = 5432 } = database.client;
  if (await offersTls({ host, port })) return database;
  return { ...database, client: { ...database.client, ssl: false } };
}
