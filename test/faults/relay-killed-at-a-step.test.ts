import type { Admin } from 'kafkajs';
import { expect, test } from 'vitest';
import { parseLsn } from '../../core/version.ts';
import { kafkaClient } from '../harness/kafka-stack.ts';
import type { RelayProcess } from '../harness/relay-process.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallPath } from '../harness/small-path.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { StatementProxy } from '../harness/statement-proxy.ts';
import { waitFor } from '../harness/wait-for.ts';

// What a relay that is killed has published and not confirmed comes again, and nothing is lost.

/** Many pieces; the relay is killed between two of them. */
const ROWS = 20_000;

/** How many messages the topic of a table holds, those of all its partitions. */
async function count(admin: Admin, { settings }: SmallPath, table: string): Promise<number> {
  const topic = `${settings['KAFKA_TOPIC_PREFIX'] ?? ''}.public.${table}`;
  const ends = await admin.fetchTopicOffsets(topic);
  return ends.reduce((sum, { offset }) => sum + Number(offset), 0);
}

async function walEnd({ source }: SmallWorld): Promise<bigint> {
  const [row] = await source.query('select pg_current_wal_lsn()::text as lsn');
  return parseLsn(String(row?.['lsn']));
}

async function confirmed({ source }: SmallWorld): Promise<bigint> {
  const [row] = await source.query(
    'select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1',
    [source.name],
  );
  return parseLsn(String(row?.['lsn']));
}

function relayOf({ relay }: SmallPath): RelayProcess {
  if (relay === null) throw new Error('this way has no relay');
  return relay;
}

test('a relay killed at any step repeats what it has not confirmed, and nothing is lost or journaled twice', async () => {
  const world = await SmallWorld.open({ seed: newSeed() });
  await using proxy = await StatementProxy.start(world.source.connectionString);
  await using open = await SmallPath.through('relay-json', world, {
    settings: {
      SOURCE_URL: proxy.through(world.source.connectionString),
      BATCH_MAX_EVENTS: '200',
      HEARTBEAT_SECONDS: '1',
    },
  });
  const relay = relayOf(open);
  const admin = kafkaClient(open.settings['KAFKA_BROKERS'] ?? '').admin();
  await admin.connect();
  await using child = open.run({ SOURCE_URL: world.source.connectionString });
  const change = (note: string) =>
    world.source.query(`begin; update patient set note = '${note}' where id < 9;
      update instruction set status = (status + 1) % 6 where id < 9; commit`);
  const again = async (step: string) => {
    await relay.stop('SIGKILL');
    relay.start();
    await world.caughtUp(child);
    await world.expectAgreement(step);
    await world.expectJournal(step);
  };
  try {
    await world.caughtUp(child, 120_000);
    await world.watchJournal();

    // Kafka remembers it, and the slot is not told; then it is, and the relay does not know.
    for (const when of ['before', 'after'] as const) {
      await change(`${when} it confirms`);
      const end = await walEnd(world);
      const isConfirmed = (sql: string) =>
        sql.startsWith('status ') && parseLsn(sql.slice('status '.length)) >= end;
      await relay.now.during(proxy.stopAt({ at: isConfirmed, when }), when);
      await again(when);
    }

    // Published, and Kafka does not remember it: that is noted once a second, so most attempts hit.
    let isHit = false;
    for (let attempt = 0; attempt < 10 && !isHit; attempt++) {
      const before = await count(admin, open, 'patient');
      await change(`published ${attempt}`);
      const end = await walEnd(world);
      const isPublished = async () => (await count(admin, open, 'patient')) >= before + 8;
      await relay.now.during(waitFor(isPublished, { what: 'the topic' }), 'the topic');
      await relay.stop('SIGKILL');
      isHit = (await confirmed(world)) < end;
      await again('published');
      expect((await count(admin, open, 'patient')) > before + 8).toBe(isHit);
    }
    expect(isHit).toBe(true);

    const before = await count(admin, open, 'jaw');
    await world.source.query(
      `insert into jaw (id, kind) select i, 'of many' from generate_series(1000, ${999 + ROWS}) i`,
    );
    const isUnderWay = async () => (await count(admin, open, 'jaw')) > before;
    await relay.now.during(
      waitFor(isUnderWay, { what: 'a part of it', intervalMs: 5 }),
      'a part of it',
    );
    await relay.stop('SIGKILL');
    const published = (await count(admin, open, 'jaw')) - before;
    expect(published).toBeLessThan(ROWS);
    await again('in the middle of a transaction');
    expect((await count(admin, open, 'jaw')) - before).toBe(published + ROWS);
    expect(await world.query(`select from jaws where kind = 'of many'`)).toHaveLength(ROWS);
  } finally {
    await admin.disconnect();
  }
}, 300_000);
