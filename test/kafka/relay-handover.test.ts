import { beforeAll, expect, test } from 'vitest';
import { freshPair, type TestPair } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { tandem, TandemProcess } from '../harness/tandem-process.ts';
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
    const { code, output } = await tandem(['status', '--caught-up', '--timeout', '30s'], settings);
    expect(code, output + consumer.output).toBe(0);
    expect(await consumer.stop()).toBe(0);
  }
  await insert(5);
  await using direct = place.start({}, 'run');
  await wait(direct, ['n1', 'n2', 'n3', 'n4', 'n5']);
  expect(direct.events('interrupted')).toEqual([]);
}, 180_000);
