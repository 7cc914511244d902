import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPostgres, type PostgresServer } from '../../demo/servers/postgres.ts';
import { freshDatabase, testServerUrl } from '../harness/database.ts';
import { binariesOf, type ServerVersion } from '../harness/other-servers.ts';
import { SAMPLE_VALUES } from '../harness/sample-values.ts';
import { seededRandom } from '../harness/seed.ts';
import { expectSmallAgreement } from '../harness/small-agreement.ts';
import { smallTraffic, type SampleValues } from '../harness/source-traffic.ts';
import {
  expectCaughtUp,
  expectNewCopy,
  expectRefusal,
  smallWorld,
} from '../harness/source-world.ts';
import { tandem, TandemProcess, type Settings } from '../harness/tandem-process.ts';

const OTHERS = [12, 15, 17] as const;
const servers = new Map<ServerVersion, PostgresServer>();

beforeAll(async () => {
  await Promise.all(
    OTHERS.map(async (version) => {
      const binaries = await binariesOf(version);
      const settings = { fsync: 'off', full_page_writes: 'off' };
      servers.set(version, await startPostgres({ binaries, settings }));
    }),
  );
}, 600_000);
afterAll(async () => {
  await Promise.all([...servers.values()].map((server) => server.stop()));
});

const urlOf = (version: ServerVersion, side: 'source' | 'target') =>
  servers.get(version)?.connectionString() ?? testServerUrl(side);

/** Before PostgreSQL 14 a numeric has no infinity. */
function sampleFor(version: ServerVersion): SampleValues {
  const loose = SAMPLE_VALUES['loose'] ?? [];
  const finite = loose.filter((value) => !/^-?Infinity$/.test(value ?? ''));
  return { ...SAMPLE_VALUES, loose: version < 14 ? finite : loose };
}

/** A whole run: load while rows change, stream, and compare by value. */
async function expectWholeRun(given: {
  readonly source: ServerVersion;
  readonly target: ServerVersion;
  readonly encoding?: string;
  /** Of the source's database. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly sample?: SampleValues;
}): Promise<void> {
  const random = seededRandom();
  const { encoding = 'UTF8', sample = sampleFor(given.source) } = given;
  await using source = await freshDatabase({ server: urlOf(given.source, 'source'), encoding });
  await using target = await freshDatabase({ server: urlOf(given.target, 'target') });
  for (const [name, value] of Object.entries(given.settings ?? {})) {
    await source.query(`alter database ${source.name} set ${name} = '${value}'`);
  }
  const settings = await smallWorld(source, target);
  await smallTraffic(source, random, { count: 300, sample });
  await using child = new TandemProcess(['run'], settings);
  await smallTraffic(source, random, { count: 300, sample });
  await expectCaughtUp(settings, child);
  await smallTraffic(source, random, { count: 100, sample });
  await expectCaughtUp(settings, child);
  await expectSmallAgreement(source, target);
  expect(await child.stop()).toBe(0);
}

describe('a whole run from one version to another ends right by value', () => {
  test.each([
    [12, 18],
    [15, 17],
    [18, 15],
  ] as const)('PostgreSQL %i to %i', async (source, target) => {
    await expectWholeRun({ source, target });
  });
});

test('a source with forms of its own for times, intervals, bytes and floats ends right by value', async () => {
  await expectWholeRun({
    source: 12,
    target: 15,
    settings: {
      timezone: 'Asia/Kathmandu',
      datestyle: 'SQL, DMY',
      intervalstyle: 'iso_8601',
      bytea_output: 'escape',
      extra_float_digits: '-5',
      xmlbinary: 'hex',
      lc_numeric: 'C',
      search_path: 'public',
      default_transaction_isolation: 'serializable',
      statement_timeout: '3s',
    },
  });
});

/** What `encoding` can hold, and some letters that it writes with other bytes than UTF-8 does. */
function sampleIn(encoding: string, version: ServerVersion): SampleValues {
  const fits = encoding === 'LATIN1' ? /^[\0-\xff]*$/ : /^[\0-\x7f]*$/;
  const own = encoding === 'LATIN1' ? 'Zoë Ñuñez £ ÿ' : '歯列矯正 テスト ｶﾅ';
  const sample = Object.fromEntries(
    Object.entries(sampleFor(version)).map(([name, values]) => [
      name,
      values.filter((value) => value === null || (fits.test(value) && !value.includes('\\u'))),
    ]),
  );
  return { ...sample, wide: [...(sample['wide'] ?? []), own], texts: [`{"${own}",NULL}`] };
}

test.each([
  ['LATIN1', 12],
  ['EUC_JP', 15],
  ['SQL_ASCII', 15],
] as const)('a source in %s on PostgreSQL %i ends right by value', async (encoding, source) => {
  const sample = sampleIn(encoding, source);
  await expectWholeRun({ source, target: 17, encoding, sample });
});

describe('text that is no UTF-8, in a database that takes any bytes, loses nothing', () => {
  /** A byte of LATIN1 that nobody declared as such. */
  const SPOIL = `insert into auth_user (id, name) values (7, E'caf\\xe9')`;
  const CORRECT = `update auth_user set name = 'café' where id = 7`;

  async function expectRefused(settings: Settings): Promise<void> {
    await using child = new TandemProcess(['run'], settings);
    await expectRefusal(child, { code: 'SOURCE_TEXT_INVALID', next: 'Correct the row' });
    expect(child.output).not.toContain('caf');
  }

  test('in the copy: the run is refused, and goes on once the row is corrected', async () => {
    await using source = await freshDatabase({
      server: urlOf(15, 'source'),
      encoding: 'SQL_ASCII',
    });
    await using target = await freshDatabase({ server: urlOf(17, 'target') });
    const settings = await smallWorld(source, target);
    await source.query(SPOIL);
    await expectRefused(settings);
    await source.query(CORRECT);
    await using child = new TandemProcess(['run'], settings);
    await expectCaughtUp(settings, child);
    await expectSmallAgreement(source, target);
    expect(await target.query('select name from profiles')).toEqual([{ name: 'café' }]);
  });

  test('in the stream: nothing passes it but a new slot and a new copy', async () => {
    await using source = await freshDatabase({
      server: urlOf(15, 'source'),
      encoding: 'SQL_ASCII',
    });
    await using target = await freshDatabase({ server: urlOf(17, 'target') });
    const settings = await smallWorld(source, target);
    expect((await tandem(['setup'], settings)).code).toBe(0);
    await source.query(SPOIL);
    await source.query(CORRECT);
    await expectRefused(settings);
    await expectNewCopy(settings, source, target);
    expect(await target.query('select name from profiles')).toEqual([{ name: 'café' }]);
  });
});
