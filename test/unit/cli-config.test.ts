import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildConfig } from '../../cli/build-config.ts';
import { SETTING_NAMES, settingInfo, settingsSchema, settingsTable } from '../../cli/config.ts';
import { hidePassword, parseDatabaseUrl } from '../../cli/database-url.ts';
import { readSettings, type Inputs } from '../../cli/read-settings.ts';
import { didYouMean } from '../../cli/similar.ts';
import { formatSeconds, formatSize, parseDuration, parseSize } from '../../cli/units.ts';
import { envTemplate } from '../../cli/write-env.ts';
import { parse } from 'dotenv';

const folder = mkdtempSync(join(tmpdir(), 'tandem-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const URLS = { SOURCE_URL: 'postgresql://u:p@s/legacy', TARGET_URL: 'postgres://v@t:6/new' };
const read = (inputs: Partial<Inputs> = {}) =>
  readSettings({ flags: {}, environment: {}, workFolder: folder, envFile: null, ...inputs });
const configOf = (environment: Record<string, string>) =>
  buildConfig(read({ environment }), folder);
const problemsOf = (environment: Record<string, string>) =>
  read({ environment }).problems.map(({ setting, problem }) => `${setting} ${problem}`);

test('two URLs are enough; everything else has a default', () => {
  const config = configOf(URLS);
  expect(config.source.client).toMatchObject({ host: 's', port: 5432, database: 'legacy' });
  expect(config.source.client).toMatchObject({ user: 'u', password: 'p' });
  expect(config.target.client).toMatchObject({ host: 't', port: 6, database: 'new', user: 'v' });
  expect(config).toMatchObject({
    ...{ slot: 'tandem', publication: 'tandem', stream: 'tandem', mapping: null },
    ...{ batchMaxEvents: 20_000, batchMaxBytes: 32 * 1024 * 1024, backfillWorkers: 2 },
    ...{
      chunkRows: 50_000,
      heartbeatSeconds: 5,
      onTruncate: { otherwise: 'stop', tables: new Map() },
      stopShare: 0.05,
    },
    ...{ maxRootsPerBatch: 20_000, logLevel: 'info', logFormat: 'auto' },
  });
});

test('the parts of the source may stand instead of its URL', () => {
  const config = configOf({
    TARGET_URL: URLS.TARGET_URL,
    LEGACY_DB_HOST: 'h',
    LEGACY_DB_PORT: '99',
    LEGACY_DB_NAME: 'n',
    LEGACY_DB_USER: 'u',
    LEGACY_DB_PASSWORD: ' p#@/ ',
    LEGACY_DB_SSL: 'true',
  });
  expect(config.source.client).toEqual({
    ...{ host: 'h', port: 99, database: 'n', user: 'u', password: ' p#@/ ' },
    ssl: { rejectUnauthorized: false },
  });
});

test('a flag is stronger than the environment, the environment than .env, .env than a default', () => {
  const envFile = join(folder, 'strength.env');
  writeFileSync(envFile, 'TANDEM_SLOT=file\nSTREAM=file\nTANDEM_PUBLICATION=file\n');
  const reading = read({
    envFile,
    environment: { TANDEM_SLOT: 'environment', STREAM: 'environment' },
    flags: { TANDEM_SLOT: 'flag' },
  });
  expect(reading.problems).toEqual([]);
  expect(reading.settings).toMatchObject({
    ...{ TANDEM_SLOT: 'flag', STREAM: 'environment', TANDEM_PUBLICATION: 'file' },
    CHUNK_ROWS: 50_000,
  });
});

test('an empty value is one that was not given', () => {
  expect(read({ environment: { TANDEM_SLOT: '', SOURCE_URL: '' } }).problems).toEqual([]);
});

test('a URL and its parts of the same strength contradict each other; the stronger one wins', () => {
  const parts = { LEGACY_DB_HOST: 'h', LEGACY_DB_NAME: 'n', LEGACY_DB_USER: 'u' };
  expect(() => configOf({ ...URLS, ...parts })).toThrow(/SOURCE_URL, LEGACY_DB_HOST .*keep one/);
  const reading = read({
    environment: { ...URLS, ...parts },
    flags: { SOURCE_URL: 'postgresql://u@flag/x' },
  });
  expect(buildConfig(reading, folder).source.client.host).toBe('flag');
});

test('a database that is not given is named, with the places to give it', () => {
  expect(() => configOf({ SOURCE_URL: URLS.SOURCE_URL })).toThrow(
    /CONFIG_INVALID setting=TARGET_URL .*not given.*\.env/,
  );
});

test.each([
  [{ TANDEM_SLOTT: 'x' }, 'TANDEM_SLOTT is not a setting; did you mean TANDEM_SLOT?'],
  [{ TANDEM_SLOT: 'Tandem' }, 'TANDEM_SLOT "Tandem" must consist of lower-case'],
  [{ BATCH_MAX_BYTES: '32XB' }, 'BATCH_MAX_BYTES "32XB" must be a size'],
  [{ BATCH_MAX_BYTES: '1kB' }, 'at least 64 kB'],
  [{ BATCH_MAX_EVENTS: '0' }, 'BATCH_MAX_EVENTS "0" must be a whole number of at least 1'],
  [{ BATCH_MAX_EVENTS: '1e4' }, 'for example 20000'],
  [{ BACKFILL_WORKERS: '65' }, 'from 1 to 64'],
  [
    { ON_TRUNCATE: 'explode' },
    'must be stop, apply or ignore, with exceptions behind it like stop,audit_log=ignore; for example stop',
  ],
  [{ STOP_SHARE: '5' }, 'must be a share from 0 to 1'],
  [{ LEGACY_DB_PORT: '0' }, 'from 1 to 65535'],
  [{ SOURCE_SSL: 'on' }, 'must be one of disable, prefer, require, verify-ca, verify-full'],
  [{ LOG_FORMAT: 'xml' }, 'LOG_FORMAT "xml" must be one of auto, json, pretty'],
  [{ SOURCE_URL: 'mysql://u@h/d' }, 'does not begin with postgresql://'],
  [{ SOURCE_URL: 'h:5432/d' }, 'is not a connection URL'],
  [{ SOURCE_URL: 'postgresql://u:a/b@h/d' }, 'percent-encode special characters of the password'],
  [{ SOURCE_URL: 'postgresql://u:a#b@h/d' }, '# is %23'],
  [{ SOURCE_URL: 'postgresql://u:50%@h/d' }, 'write a % as %25'],
  [{ SOURCE_URL: 'postgresql://u@h:70000/d' }, 'a port that is not a number'],
  [{ SOURCE_URL: 'postgresql://u@h,i/d' }, 'names several hosts'],
  [
    { SOURCE_URL: 'postgresql://u@h/d?ssl_mode=require' },
    'unknown parameter ssl_mode; did you mean sslmode?',
  ],
  [{ SOURCE_URL: 'postgresql://u@h/d?sslmode=yes' }, 'unknown sslmode'],
])('%j is refused: %s', (environment, message) => {
  const problems = problemsOf(environment);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message);
});

test('in .env every unknown name is an error, in the environment only one of ours', () => {
  const envFile = join(folder, 'unknown.env');
  writeFileSync(envFile, 'SECRET_KEY=x\nCHUNK_ROW=5\n');
  const { problems } = read({ envFile, environment: { PATH: '/bin', CHUNK_ROW: '5' } });
  expect(problems.map(({ setting, problem }) => [setting, problem])).toEqual([
    ['SECRET_KEY', expect.stringContaining('is not a setting')],
    ['CHUNK_ROW', expect.stringContaining('did you mean CHUNK_ROWS?')],
  ]);
});

test('a file that --env-file names must exist', () => {
  const { problems } = read({ envFile: 'nowhere.env' });
  expect(problems).toEqual([
    { setting: '--env-file', from: join(folder, 'nowhere.env'), problem: 'there is no such file' },
  ]);
});

test('any login that is percent-encoded comes out as it was, and never shows its password', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(text, text, text, (user, password, database) => {
      const [u, p, d] = [user, password, database].map(encodeURIComponent);
      const url = `postgresql://${u}:${p}@host:1234/${d}?sslmode=disable`;
      expect(parseDatabaseUrl(url)).toMatchObject({
        user,
        password,
        database,
        host: 'host',
        port: 1234,
      });
      expect(hidePassword(url)).toBe(`postgresql://${u}:***@host:1234/${d}?sslmode=disable`);
    }),
  );
});

test('a URL is read as libpq reads it', () => {
  expect(parseDatabaseUrl('postgres://u@[::1]:5/d')).toMatchObject({ host: '::1', port: 5 });
  expect(parseDatabaseUrl('postgresql://u@/d?host=/run/pg&port=7')).toMatchObject({
    host: '/run/pg',
    port: 7,
  });
  expect(parseDatabaseUrl('postgresql://h')).toMatchObject({
    host: 'h',
    port: 5432,
    password: null,
  });
  expect(parseDatabaseUrl('postgresql://u@h')).toMatchObject({ database: 'u' });
  expect(parseDatabaseUrl('postgresql://u:p%40s@h/d?password=q')).toMatchObject({ password: 'q' });
  expect(hidePassword('postgresql://u@h/d?password=q&sslmode=disable')).toBe(
    'postgresql://u@h/d?password=***&sslmode=disable',
  );
  expect(hidePassword('postgresql://u:a/b@h/d')).toBe('***');
});

const CA = join(folder, 'ca.crt');
writeFileSync(CA, 'PEM');
test.each([
  ['?sslmode=disable', {}, false],
  ['?sslmode=require', {}, { rejectUnauthorized: false }],
  [
    `?sslmode=require&sslrootcert=${CA}`,
    {},
    { ca: 'PEM', rejectUnauthorized: true, checkServerIdentity: expect.any(Function) as unknown },
  ],
  [
    '?sslmode=verify-ca',
    { SOURCE_SSL_CA: CA },
    { ca: 'PEM', rejectUnauthorized: true, checkServerIdentity: expect.any(Function) as unknown },
  ],
  ['?sslmode=verify-full', { SOURCE_SSL_CA: CA }, { ca: 'PEM', rejectUnauthorized: true }],
  ['', { SOURCE_SSL_CA: CA }, { ca: 'PEM', rejectUnauthorized: true }],
  ['?sslrootcert=system', {}, { rejectUnauthorized: true }],
  ['', { SOURCE_SSL: 'require' }, { rejectUnauthorized: false }],
])('%s with %j has libpq’s meaning', (query, settings, ssl) => {
  const config = configOf({ ...URLS, ...settings, SOURCE_URL: `${URLS.SOURCE_URL}${query}` });
  expect(config.source.client.ssl).toEqual(ssl);
});

test('two TLS modes that contradict each other are refused, not guessed at', () => {
  const environment = {
    ...URLS,
    SOURCE_URL: `${URLS.SOURCE_URL}?sslmode=disable`,
    SOURCE_SSL: 'verify-full',
  };
  expect(() => configOf(environment)).toThrow(/SOURCE_SSL .*verify-full.*disable/);
});

test('a CA file that cannot be read is named', () => {
  expect(() => configOf({ ...URLS, TARGET_SSL_CA: 'no.crt' })).toThrow(
    /TARGET_SSL_CA .*no\.crt.*cannot be read/,
  );
});

test('every example is a right value, and every setting is in the manual', () => {
  const manual = settingsTable();
  for (const name of SETTING_NAMES) {
    const { example } = settingInfo(name);
    const text = parse(`X=${example}`)['X'];
    expect(settingsSchema.shape[name].safeParse(text).success, `${name} ${example}`).toBe(true);
    expect(manual).toContain(`\`${name}\``);
  }
});

test('the .env that init writes is right as it is, and with every line switched on', () => {
  const template = envTemplate(new Map([['SOURCE_URL', "postgresql://u:it's`a @h/d"]]));
  expect(parse(template)).toEqual({ SOURCE_URL: "postgresql://u:it's`a @h/d" });
  const all = parse(template.replace(/^#(?=[A-Z_]+=)/gm, ''));
  expect(Object.keys(all).sort()).toEqual([...SETTING_NAMES].sort());
});

test('sizes and times are read and written as people write them', () => {
  expect(['32MB', '1.5 GiB', '100', '64k', '7 B'].map(parseSize)).toEqual([
    ...[33_554_432, 1_610_612_736, 100, 65_536, 7],
  ]);
  expect(['', 'MB', '-1', '1TBx', '0.3b'].map(parseSize)).toEqual([null, null, null, null, null]);
  expect(['60s', '500ms', '2m', '1h', '7', 'x'].map(parseDuration)).toEqual([
    ...[60_000, 500, 120_000, 3_600_000, 7000, null],
  ]);
  expect([0, 1023, 1024, 1_500_000, 5e9].map(formatSize)).toEqual([
    ...['0 bytes', '1023 bytes', '1 kB', '1.4 MB', '4.7 GB'],
  ]);
  expect([0.2, 59, 200, 7500].map(formatSeconds)).toEqual([
    '0 s',
    '59 s',
    '3 min 20 s',
    '2 h 5 min',
  ]);
});

test('a slip of the finger is recognized, another word is not', () => {
  expect(didYouMean('TANDEM_SLTO', SETTING_NAMES)).toBe('TANDEM_SLOT');
  expect(didYouMean('tandem_slot', SETTING_NAMES)).toBe('TANDEM_SLOT');
  expect(didYouMean('KUBERNETES_PORT', SETTING_NAMES)).toBeNull();
});
