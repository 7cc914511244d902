import { beforeAll, expect, test } from 'vitest';
import { freshPair, type TestPair } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import { RelayPlace } from './relay-place.ts';

let bootstrap: string;

beforeAll(async () => {
  ({ bootstrap } = await sharedServer('broker'));
}, 600_000); // the first time ever, Maven fetches it

async function arrived({ target }: TestPair, names: readonly string[]): Promise<boolean> {
  const rows = await target.query('select name from public.offices order by name');
  return JSON.stringify(rows.map(({ name }) => name)) === JSON.stringify(names);
}

/** The target holds everything that the slot was told of. */
async function isDrained({ source, target }: TestPair): Promise<boolean> {
  const [slot] = await source.query(
    `select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1`,
    [source.name],
  );
  const [found] = await target.query(
    'select position::pg_lsn >= $1::pg_lsn as ok from tandem.position',
    [slot?.['lsn']],
  );
  return found?.['ok'] === true;
}

test('the slot goes from a direct run to the relay and back, without a gap', async () => {
  await using pair = await freshPair();
  const { source } = pair;
  using place = await RelayPlace.open(pair, bootstrap, { HEARTBEAT_SECONDS: '1' });
  const { settings } = place;
  const insert = (id: number) => source.query(`insert into office values (${id}, 'n${id}', null)`);
  const wait = (child: TandemProcess, names: readonly string[]) =>
    child.during(
      waitFor(() => arrived(pair, names), { what: names.join(' '), timeoutMs: 40_000 }),
      names.join(' '),
      45_000,
    );
  await insert(1);
  {
    await using direct = place.start({}, 'run');
    await wait(direct, ['n1']);
    await insert(2);
    await wait(direct, ['n1', 'n2']);
    // While it has the slot, a relay waits.
    await using early = place.start();
    await early.logged('interrupted', ({ code }) => code === 'SLOT_IN_USE');
    expect(await direct.stop()).toBe(0);
  }
  await insert(3);
  {
    await using relay = await place.started();
    await using consumer = new TandemProcess(['run', '--from', 'kafka'], settings);
    await wait(consumer, ['n1', 'n2', 'n3']);
    await insert(4);
    await wait(consumer, ['n1', 'n2', 'n3', 'n4']);
    // What the relay has confirmed is in the target once the log is at its end.
    expect(await relay.stop()).toBe(0);
    await consumer.during(
      waitFor(() => isDrained(pair), { what: 'the log to be drained' }),
      'the log',
    );
    expect(await consumer.stop()).toBe(0);
  }
  await insert(5);
  await using direct = place.start({}, 'run');
  await wait(direct, ['n1', 'n2', 'n3', 'n4', 'n5']);
  expect(direct.events('interrupted')).toEqual([]);
}, 180_000);
