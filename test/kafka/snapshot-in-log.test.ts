import { beforeAll, describe, expect, test } from 'vitest';
import { connectorConfig } from '../../connectors/debezium/connector-config.ts';
import { splitTableName } from '../../core/mirror-table.ts';
import { readUsages } from '../../core/usage.ts';
import { startConnector, type TestConnector } from '../harness/connector.ts';
import { freshPrefix, kafkaClient, sharedServer } from '../harness/kafka-stack.ts';
import type { SharedAddresses } from '../harness/shared-servers.ts';
import { newSeed } from '../harness/seed.ts';
import { expectSmallAgreement } from '../harness/small-agreement.ts';
import { SMALL_MAPPING } from '../harness/small-mapping.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { tandem, TandemProcess, type Settings } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

let servers: Pick<SharedAddresses, 'broker' | 'connect' | 'registry'>;
beforeAll(async () => {
  const broker = await sharedServer('broker');
  const registry = await sharedServer('registry');
  servers = { broker, registry, connect: await sharedServer('connect') };
});

const RUN = ['run', '--from', 'kafka'];

function settingsOf(world: SmallWorld, more: Settings = {}): Settings {
  const name = freshPrefix();
  return {
    ...world.settings,
    // Random rows have many that the mapping rejects: that is not a broken mapping.
    STOP_SHARE: '1',
    KAFKA_BROKERS: servers.broker.bootstrap,
    KAFKA_TOPIC_PREFIX: name,
    KAFKA_GROUP: name,
    KAFKA_REPLICATION: '1',
    KAFKA_PARTITIONS: '2',
    KAFKA_SESSION_TIMEOUT: '6s',
    CONNECT_URL: servers.connect.url,
    CONNECTOR_NAME: name,
    BACKFILL_FROM: 'log',
    ...more,
  };
}

/** Debezium as somebody has it already: with a slot and a publication of its own. */
async function debezium(world: SmallWorld, settings: Settings): Promise<TestConnector> {
  const { TANDEM_SLOT: slot = '', KAFKA_TOPIC_PREFIX: prefix = '' } = settings;
  await world.source.query(`create publication theirs for all tables`);
  const url = new URL(world.source.connectionString);
  const tables = [...readUsages(SMALL_MAPPING).tables.keys()].map(splitTableName);
  const isAvro = settings['KAFKA_FORMAT'] === 'avro';
  const avro = { kind: 'avro', converter: 'apicurio' } as const;
  const place = { url: servers.registry.nativeUrl, login: null };
  const config = connectorConfig({
    database: {
      ...{ host: url.hostname, port: Number(url.port), name: url.pathname.slice(1) },
      ...{ user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) },
      ...{ sslMode: 'disable', sslCa: null },
    },
    ...{ slot, publication: 'theirs', prefix, tables, backfillFrom: 'log' },
    ...{ secretColumns: [], hasFragileColumns: true, maxMessageBytes: 1_000_000 },
    format: isAvro ? { ...avro, registry: place } : { kind: 'json' },
  });
  return await startConnector(servers.connect.url, prefix, {
    ...config,
    'topic.creation.default.partitions': '2',
    'topic.creation.default.replication.factor': '1',
  });
}

/** Messages of the tables that the target has had. */
async function hadSoFar(world: SmallWorld): Promise<number> {
  const [row] = await world.query(
    `select coalesce(sum(next_offset), 0)::int as n from tandem.topic_position`,
  );
  return Number(row?.['n']);
}

async function expectEqual(world: SmallWorld, settings: Settings): Promise<void> {
  await expectSmallAgreement(world.source, world.target);
  // Nothing was copied from the source.
  expect(await world.query(`select from tandem.chunk where stage <> 'derive'`)).toEqual([]);
  const verified = await tandem(['verify'], settings);
  expect(verified.code, verified.output).toBe(0);
}

async function topicHolds(settings: Settings, table: string, count: number): Promise<void> {
  const admin = kafkaClient(servers.broker.bootstrap).admin();
  await admin.connect();
  try {
    const topic = `${settings['KAFKA_TOPIC_PREFIX']}.public.${table}`;
    await waitFor(
      async () => {
        if (!(await admin.listTopics()).includes(topic)) return false;
        const ends = await admin.fetchTopicOffsets(topic).catch(() => []); // it has just been made
        return ends.reduce((sum, { offset }) => sum + Number(offset), 0) >= count;
      },
      { what: `${count} messages in ${topic}`, timeoutMs: 60_000 },
    );
  } finally {
    await admin.disconnect();
  }
}

describe.each([{}, { KAFKA_FORMAT: 'avro' }])('with %o', (format: Settings) => {
  test("Debezium's own snapshot is the backfill; killed in the middle, under traffic, it goes on", async () => {
    const seed = newSeed();
    await using world = await SmallWorld.open({ seed });
    const registry = { SCHEMA_REGISTRY_URL: servers.registry.url };
    const settings = settingsOf(world, {
      ...format,
      ...registry,
      TANDEM_PUBLICATION: 'theirs',
    });
    // Two transactions at a time: the slot is made while one is under way.
    await using before = startSmallTraffic(world.source, { seed, perSecond: 100 });
    await using during = startSmallTraffic(world.source, { seed: seed + 1, perSecond: 100 });
    await using _connector = await debezium(world, settings);
    await topicHolds(settings, 'instruction', 200);
    await before.end();

    {
      await using child = new TandemProcess(RUN, { ...settings, BATCH_MAX_EVENTS: '20' });
      const had = waitFor(
        async () => (await hadSoFar(world).catch(() => 0)) > 100, // the table may not be there yet
        { what: 'a part of the log in the mirror', timeoutMs: 60_000 },
      );
      await child.during(had, 'loading', 61_000);
      await child.stop('SIGKILL');
    }
    expect(await world.query(`select from tandem.mirror where loaded_at is not null`)).toEqual([]);
    const had = await hadSoFar(world);

    await using child = new TandemProcess(RUN, settings);
    await during.end();
    await world.caughtUp(child, 90_000);
    expect(await hadSoFar(world)).toBeGreaterThan(had);
    await expectEqual(world, settings);
    expect(await child.stop()).toBe(0);
  }, 240_000);
});

test('where the connector was there before us, what the log holds of then undoes nothing of the copy', async () => {
  await using world = await SmallWorld.open({ seed: newSeed() });
  const given = { BACKFILL_FROM: 'source', TANDEM_PUBLICATION: 'theirs' };
  const settings = settingsOf(world, given);
  await using _connector = await debezium(world, settings);
  // The first transaction that it sees tells no end of a commit before it; the others do.
  for (const status of [101, 102, 103]) {
    await world.source.query(`update instruction set status = ${status} where id = 1`);
  }
  await world.source.query('delete from instruction where id = 2');
  const [end] = await world.source.query('select pg_current_wal_insert_lsn()::text as at');
  const confirmed = `select from pg_replication_slots
    where slot_name = $1 and confirmed_flush_lsn >= $2::pg_lsn`;
  await waitFor(
    async () => {
      await world.source.query('update office_user set label = label');
      const slot = settings['TANDEM_SLOT'];
      return (await world.source.query(confirmed, [slot, end?.['at']])).length > 0;
    },
    { what: 'the connector to confirm them', timeoutMs: 60_000, intervalMs: 500 },
  );
  await using child = new TandemProcess(RUN, settings);
  await child.logged('streaming', () => true, 60_000);
  await world.caughtUp(child, 90_000);
  await expectSmallAgreement(world.source, world.target);
  expect(await child.stop()).toBe(0);
}, 180_000);

test('a connector that Tandem deploys takes the snapshot, on the slot that is there', async () => {
  const seed = newSeed();
  await using world = await SmallWorld.open({ seed });
  const settings = settingsOf(world);
  await using traffic = startSmallTraffic(world.source, { seed, perSecond: 100 });
  const done = async (...args: string[]) => {
    const { code, output } = await tandem(args, settings);
    expect(code, output).toBe(0);
  };
  await done('setup');
  await done('connector', 'deploy');
  try {
    // The connector may not have begun: nothing of a table is in the log.
    await topicHolds(settings, 'instruction', 40);
    await using child = new TandemProcess(RUN, settings);
    await traffic.end();
    await world.caughtUp(child, 90_000);
    await expectEqual(world, settings);
    expect(await child.stop()).toBe(0);
  } finally {
    await tandem(['connector', 'delete'], settings);
  }
}, 180_000);
