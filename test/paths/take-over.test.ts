import { expect, test } from 'vitest';
import { freshPrefix } from '../harness/kafka-stack.ts';
import { openPath, type OpenPath } from '../harness/paths.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { tandem, TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

const start = ({ run, settings }: OpenPath) => new TandemProcess([...run], settings);

/** Waits until what writes the log has let the source forget all that it has committed by now. */
async function published({ source }: SmallWorld): Promise<string> {
  const [end] = await source.query('select pg_current_wal_lsn()::text as lsn');
  const confirmed = `select from pg_replication_slots where slot_name = $1
    and confirmed_flush_lsn >= $2::pg_lsn`;
  const isThere = async () => (await source.query(confirmed, [source.name, end?.['lsn']])).length;
  await waitFor(async () => (await isThere()) > 0, { what: 'the log', timeoutMs: 60_000 });
  return String(end?.['lsn']);
}

test('from the slot to the relay, to Debezium and back to the slot, under traffic all the time: nothing is missing', async () => {
  const seed = newSeed();
  await using world = await SmallWorld.open({ seed });
  const log = { KAFKA_TOPIC_PREFIX: freshPrefix(), KAFKA_GROUP: freshPrefix() };
  const given = { ...world.settings, ...log, STOP_SHARE: '1' };
  const direct = await openPath('direct', given);
  {
    await using child = start(direct);
    await world.caughtUp(child, 120_000);
  }
  await world.watchJournal();
  await using traffic = startSmallTraffic(world.source, { seed, perSecond: 40 });
  {
    await using way = await openPath('relay-json', given);
    await using child = start(way);
    await world.caughtUp(child);
  }
  let left: OpenPath;
  {
    await using way = await openPath('debezium-json', given);
    left = way;
    await using child = start(way);
    await world.caughtUp(child);
    await child.stop('SIGKILL');
    await published(world);
  }
  const refused = await tandem(['run'], given);
  expect(refused.output).toContain('LOG_NOT_DRAINED');
  expect(refused.code).toBe(1);
  {
    await using child = start(left);
    const drained = `select from tandem.position where position::pg_lsn >= $1::pg_lsn`;
    const [slot] = await world.source.query(
      'select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1',
      [world.source.name],
    );
    const isDrained = async () => (await world.query(drained, [slot?.['lsn']])).length > 0;
    await child.during(
      waitFor(isDrained, { what: 'the log to be drained', timeoutMs: 60_000 }),
      'the rest of the log',
      61_000,
    );
  }
  await using child = start(direct);
  await world.caughtUp(child);
  await traffic.end();
  await world.caughtUp(child);
  await world.expectAgreement();
  await world.expectJournal();
}, 300_000);
