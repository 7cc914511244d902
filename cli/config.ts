import { z } from 'zod';
import { type Database } from '../connectors/postgres/connection.ts';
import { parseDatabaseUrl, Malformed, readTlsMode, URL_EXAMPLE } from './database-url.ts';
import { parseTruncatePolicy, type TruncatePolicy } from '../core/truncate-policy.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { KAFKA_SETTINGS } from './kafka-settings.ts';
import {
  about,
  duration,
  GROUPS,
  oneOf,
  optional,
  read,
  secret,
  size,
  whole,
  withDefault,
  words,
  type SettingInfo,
} from './setting.ts';
import { TLS_MODES, type TlsMode } from './tls.ts';

/** What the engine and the commands are told. */
export type Config = {
  readonly source: Database;
  readonly target: Database;
  readonly sourceTls: TlsMode;
  readonly targetTls: TlsMode;
  readonly slot: string;
  readonly publication: string;
  readonly stream: string;
  /** A file, seen from the working folder; null: the mapping that Tandem brings. */
  readonly mapping: string | null;
  /** A folder, seen from the working folder; null: the one that the mapping names. */
  readonly migrations: string | null;
  readonly batchMaxEvents: number;
  readonly batchMaxBytes: number;
  readonly maxRootsPerBatch: number;
  readonly memoryLimitBytes: number;
  readonly backfillWorkers: number;
  readonly chunkRows: number;
  /** 0: none are sent, and lag is known in bytes only. */
  readonly heartbeatSeconds: number;
  readonly statusSeconds: number;
  readonly onTruncate: TruncatePolicy;
  /** Share of refused rows, 0 to 1, at which an entity stops. */
  readonly stopShare: number;
  /** How often `run` proves all of it beside the stream; null: never. */
  readonly verifyEveryMs: number | null;
  /** Null: no metrics are served. */
  readonly metricsPort: number | null;
  readonly metricsHost: string;
  /** As old may the newest heartbeat be of a target that is up to date. */
  readonly readySeconds: number;
  /** Null without KAFKA_BROKERS: the stream is read from the slot. */
  readonly kafka: KafkaConfig | null;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly logFormat: (typeof LOG_FORMATS)[number];
};

const [SOURCE, TARGET, STREAM, , , MAPPING, LIMITS, BEHAVIOUR, METRICS, LOGS] = GROUPS;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
const LOG_FORMATS = ['auto', 'json', 'pretty'] as const;

const truncatePolicy = read(
  parseTruncatePolicy,
  'must be stop, apply or ignore, with exceptions behind it like stop,audit_log=ignore',
);

const share = read((text) => {
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(text)?.[1];
  const number = percent === undefined ? Number(text || NaN) : Number(percent) / 100;
  return number >= 0 && number <= 1 ? number : null;
}, 'must be a share from 0 to 1, or a percentage');

const url = z.string().transform((text, context) => {
  try {
    return parseDatabaseUrl(text.trim());
  } catch (error) {
    const message = error instanceof Malformed ? error.message : 'is not a connection URL';
    context.issues.push({ code: 'custom', message, input: undefined });
    return z.NEVER;
  }
});

const tlsMode = read(readTlsMode, `must be one of ${TLS_MODES.join(', ')}`);
const SWITCH: Readonly<Record<string, TlsMode>> = {
  true: 'require',
  '1': 'require',
  yes: 'require',
  on: 'require',
  false: 'disable',
  '0': 'disable',
  no: 'disable',
  off: 'disable',
};
const tlsSwitch = read(
  (text) => readTlsMode(text) ?? SWITCH[text.toLowerCase()] ?? null,
  `must be true, false or one of ${TLS_MODES.join(', ')}`,
);

/** PostgreSQL's rule: a slot's name becomes a folder's. */
const slotName = read(
  (text) => (/^[a-z0-9_]{1,63}$/.test(text) ? text : null),
  'must consist of lower-case letters, digits and _, at most 63',
);
const objectName = read(
  (text) => (/^[^\s"']{1,63}$/.test(text) ? text : null),
  'must be a name of 1 to 63 characters without spaces and quotes',
);

/** Every setting. A name is that of the environment variable and of the line in `.env`. */
export const settingsSchema = z.strictObject({
  SOURCE_URL: optional(url, {
    group: SOURCE,
    help: 'Connection URL of the legacy database. Not that of a pooler. Special characters of the password are percent-encoded; sslmode= and sslrootcert= mean what they mean to libpq.',
    example: URL_EXAMPLE,
    value: 'url',
    flag: 'source',
    secret: 'url',
  }),
  LEGACY_DB_HOST: optional(words, {
    group: SOURCE,
    help: 'Instead of SOURCE_URL: its host.',
    example: 'db.example.com',
    value: 'host',
  }),
  LEGACY_DB_PORT: optional(whole(1, 65535), {
    group: SOURCE,
    help: 'Instead of SOURCE_URL: its port (5432 if not given).',
    example: '5432',
    value: 'port',
  }),
  LEGACY_DB_NAME: optional(words, {
    group: SOURCE,
    help: 'Instead of SOURCE_URL: the name of the database.',
    example: 'legacy',
    value: 'name',
  }),
  LEGACY_DB_USER: optional(words, {
    group: SOURCE,
    help: 'Instead of SOURCE_URL: the role to log in as.',
    example: 'tandem',
    value: 'role',
  }),
  LEGACY_DB_PASSWORD: optional(secret, {
    group: SOURCE,
    help: 'Instead of SOURCE_URL: its password, as it is. In .env put it in single quotes if it has # or spaces.',
    example: "'correct horse'",
    value: null,
    secret: 'value',
  }),
  LEGACY_DB_SSL: optional(tlsSwitch, {
    group: SOURCE,
    help: 'Instead of SOURCE_SSL: true (require), false (disable), or a mode.',
    example: 'true',
    value: 'mode',
  }),
  SOURCE_SSL: optional(tlsMode, {
    group: SOURCE,
    help: 'TLS mode of the source: disable, prefer, require, verify-ca, verify-full. If not given: that of the URL, or verify-full with a CA file, or prefer.',
    example: 'verify-full',
    value: 'mode',
  }),
  SOURCE_SSL_CA: optional(words, {
    group: SOURCE,
    help: 'File with the certificate authority (PEM) that the source is checked against.',
    example: './source-ca.crt',
    value: 'file',
  }),
  TARGET_URL: optional(url, {
    group: TARGET,
    help: 'Connection URL of the target database: the direct connection (port 5432), not the transaction pooler (port 6543).',
    example: 'postgresql://postgres:password@db.abcdefgh.supabase.co:5432/postgres',
    value: 'url',
    flag: 'target',
    secret: 'url',
  }),
  SUPABASE_DB_URL: optional(url, {
    group: TARGET,
    help: 'Another name for TARGET_URL.',
    example: 'postgresql://postgres:password@db.abcdefgh.supabase.co:5432/postgres',
    value: 'url',
    secret: 'url',
  }),
  TARGET_SSL: optional(tlsMode, {
    group: TARGET,
    help: 'TLS mode of the target, as SOURCE_SSL.',
    example: 'verify-full',
    value: 'mode',
  }),
  TARGET_SSL_CA: optional(words, {
    group: TARGET,
    help: 'File with the certificate authority (PEM) that the target is checked against. Supabase: Project settings, Database, SSL configuration.',
    example: './prod-ca-2021.crt',
    value: 'file',
  }),
  TANDEM_SLOT: withDefault(slotName, {
    group: STREAM,
    help: 'Name of the replication slot on the source.',
    example: 'tandem',
    value: 'name',
    flag: 'slot',
    default: 'tandem',
  }),
  TANDEM_PUBLICATION: withDefault(objectName, {
    group: STREAM,
    help: 'Name of the publication on the source.',
    example: 'tandem',
    value: 'name',
    flag: 'publication',
    default: 'tandem',
  }),
  STREAM: withDefault(objectName, {
    group: STREAM,
    help: 'Name under which the target records the position. Another one for a second source.',
    example: 'tandem',
    value: 'name',
    default: 'tandem',
  }),
  HEARTBEAT_SECONDS: withDefault(whole(0, 3600), {
    group: STREAM,
    help: 'How often a heartbeat message is written to the source; 0 where it may not be written at all.',
    example: '5',
    value: 'seconds',
    default: '5',
  }),
  ...KAFKA_SETTINGS,
  MAPPING: optional(words, {
    group: MAPPING,
    help: 'The mapping: a TypeScript module whose default export is a Mapping. If not given: the one that Tandem brings.',
    example: './my/mapping.ts',
    value: 'file',
  }),
  MIGRATIONS: optional(words, {
    group: MAPPING,
    help: "Folder of the target's migrations. If not given: the one that the mapping names.",
    example: './supabase/migrations',
    value: 'folder',
  }),
  BATCH_MAX_EVENTS: withDefault(whole(1), {
    group: LIMITS,
    help: 'Changes that are applied in one transaction of the target, at most.',
    example: '20000',
    value: 'n',
    default: '20000',
  }),
  BATCH_MAX_BYTES: withDefault(size(64 * 1024), {
    group: LIMITS,
    help: 'Memory that one batch of changes may take.',
    example: '32MB',
    value: 'size',
    default: '32MB',
  }),
  MAX_ROOTS_PER_BATCH: withDefault(whole(1), {
    group: LIMITS,
    help: 'Root rows that are derived with a batch; what is more is derived in chunks behind it.',
    example: '20000',
    value: 'n',
    default: '20000',
  }),
  MEMORY_LIMIT: withDefault(size(128 * 1024 * 1024), {
    group: LIMITS,
    help: 'Memory that this process should stay below.',
    example: '300MB',
    value: 'size',
    default: '300MB',
  }),
  BACKFILL_WORKERS: withDefault(whole(1, 64), {
    group: LIMITS,
    help: 'Connections to each database that the backfill copies with.',
    example: '2',
    value: 'n',
    flag: 'workers',
    default: '2',
  }),
  CHUNK_ROWS: withDefault(whole(100), {
    group: LIMITS,
    help: 'Rows that the backfill copies in one transaction.',
    example: '50000',
    value: 'n',
    default: '50000',
  }),
  ON_TRUNCATE: withDefault(truncatePolicy, {
    group: BEHAVIOUR,
    help: 'When the source truncates a mapped table: stop (the table and what reads it; the rest goes on), apply (its rows are deleted), or ignore (they stay). For single tables: stop,audit_log=ignore,stock=apply.',
    example: 'stop',
    value: 'what',
    default: 'stop',
  }),
  STOP_SHARE: withDefault(share, {
    group: BEHAVIOUR,
    help: 'Share of refused rows at which an entity stops: that is a broken mapping, not broken data.',
    example: '0.05',
    value: 'share',
    default: '0.05',
  }),
  VERIFY_EVERY: optional(duration, {
    group: BEHAVIOUR,
    help: 'How often `tandem run` proves all of it beside the stream, slowly: 6h, for example. If not given: never.',
    example: '6h',
    value: 'duration',
  }),
  METRICS_PORT: optional(whole(1, 65535), {
    group: METRICS,
    help: 'Port on which `tandem run` and `tandem backfill` serve /metrics, /healthz and /readyz. If not given: none.',
    example: '9464',
    value: 'port',
  }),
  METRICS_HOST: withDefault(words, {
    group: METRICS,
    help: 'Address on which they are served. In a container 0.0.0.0: whoever can reach it sees names of tables and entities, and counts.',
    example: '0.0.0.0',
    value: 'address',
    default: '127.0.0.1',
  }),
  READY_SECONDS: withDefault(whole(1, 86_400), {
    group: METRICS,
    help: '/readyz: how old the newest heartbeat in the target may be.',
    example: '30',
    value: 'seconds',
    default: '30',
  }),
  STATUS_SECONDS: withDefault(whole(1, 3600), {
    group: LOGS,
    help: 'How often `tandem run` reports lag and rates.',
    example: '10',
    value: 'seconds',
    default: '10',
  }),
  LOG_LEVEL: withDefault(oneOf(LOG_LEVELS), {
    group: LOGS,
    help: 'debug, info, warn, error or silent. With debug an unexpected error shows its stack.',
    example: 'info',
    value: 'level',
    default: 'info',
  }),
  LOG_FORMAT: withDefault(oneOf(LOG_FORMATS), {
    group: LOGS,
    help: 'json, pretty, or auto: pretty on a terminal, else json.',
    example: 'auto',
    value: 'format',
    default: 'auto',
  }),
});

export type SettingName = keyof typeof settingsSchema.shape;
export type Settings = z.output<typeof settingsSchema>;

/** Every setting, in the order in which they are shown. */
export const SETTING_NAMES = Object.keys(settingsSchema.shape) as readonly SettingName[];

export function settingInfo(name: SettingName): SettingInfo {
  const info = about.get(settingsSchema.shape[name]);
  if (info === undefined) throw new Error(`${name} is not described`);
  return info;
}

/** `--chunk-rows <n>` for `CHUNK_ROWS`; null for what has no place on a command line. */
export function settingFlag(name: SettingName): string | null {
  const { flag, value } = settingInfo(name);
  return value === null ? null : `--${flag ?? name.toLowerCase().replaceAll('_', '-')} <${value}>`;
}

/** The manual's table, in Markdown. */
export function settingsTable(): string {
  const lines = SETTING_NAMES.map((name) => {
    const info = settingInfo(name);
    const flag = settingFlag(name);
    const cells = [
      `\`${name}\``,
      flag === null ? '' : `\`${flag}\``,
      info.default === undefined ? '' : `\`${info.default}\``,
      info.help,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| setting | option | default | meaning |', '|---|---|---|---|', ...lines].join('\n');
}
