import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';
import { startPostgres, type PostgresServer } from '../../demo/servers/postgres.ts';
import { freshDatabase, testServerUrl } from '../harness/database.ts';
import { binariesOf, type ServerVersion } from '../harness/other-servers.ts';
import { SAMPLE_VALUES } from '../harness/sample-values.ts';
import { expectSmallAgreement } from '../harness/small-agreement.ts';
import { smallTraffic, type SampleValues } from '../harness/source-traffic.ts';
import { expectCaughtUp, smallWorld } from '../harness/source-world.ts';
import { TandemProcess } from '../harness/tandem-process.ts';

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
  const seed = Number(process.env['TEST_SEED'] ?? randomInt(1_000_000));
  console.info(`seed ${seed}`);
  const random = new Random(seed);
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
    [12, 15],
    [15, 17],
    [18, 15],
  ] as const)('PostgreSQL %i to %i', async (source, target) => {
    await expectWholeRun({ source, target });
  });
});
