import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';
import { startBroker } from '../../demo/servers/kafka/broker.ts';
import { freshPair, type TestDatabase } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { newSeed } from '../harness/seed.ts';
import { waitFor } from '../harness/wait-for.ts';
import { envelopeOf, RelayPlace, type Read } from './relay-place.ts';

let bootstrap: string;

beforeAll(async () => {
  ({ bootstrap } = await sharedServer('broker'));
}, 600_000); // the first time ever, Maven fetches it

const ROWS = 40;
/** Written behind all others. */
const LAST = '{"id":-1}';

/** Rows whose `name` counts up with each change, until `signal` aborts; some are deleted for good. */
async function countUp(source: TestDatabase, chance: Random, signal: AbortSignal): Promise<void> {
  await source.query(`insert into office select i, '0', null from generate_series(1, ${ROWS}) i`);
  while (!signal.aborted) {
    const id = chance.int(1, ROWS);
    const size = chance.int(1, 6);
    await source.query(
      `update office set name = (name::int + 1)::text where id between ${id} and ${id + size}`,
    );
    if (chance.int(1, 60) === 1) await source.query(`delete from office where id = ${id}`);
    await wait(2);
  }
}

/**
 * Every number of every row is there, and the first times are in order; the last thing said of a row
 * is what the source holds.
 */
function assertComplete(messages: readonly Read[], rows: ReadonlyMap<number, number>): void {
  const newest = new Map<string, number>();
  const deleted = new Set<string>();
  for (const { key, value } of messages) {
    const id = String(key);
    if (value === null || id === LAST) continue;
    const { op, after } = envelopeOf({ value });
    if (op === 'd') {
      deleted.add(id);
      continue;
    }
    const count = Number(after?.['name']);
    const known = newest.get(id) ?? -1;
    expect(count, `${id} skips from ${known}`).toBeLessThanOrEqual(known + 1);
    if (count > known) newest.set(id, count);
  }
  for (let id = 1; id <= ROWS; id++) {
    const key = `{"id":${id}}`;
    const last = rows.get(id);
    if (last === undefined) expect(deleted, key).toContain(key);
    else expect(newest.get(key), key).toBe(last);
  }
}

async function rowsOf(source: TestDatabase): Promise<ReadonlyMap<number, number>> {
  const rows = await source.query('select id, name::int as count from office where id > 0');
  return new Map(rows.map(({ id, count }) => [Number(id), Number(count)]));
}

/** Until a row that is written last is in the topic. */
async function everything(source: TestDatabase, place: RelayPlace): Promise<readonly Read[]> {
  await source.query(`insert into office values (-1, 'the end', null)`);
  let found: readonly Read[] = [];
  await waitFor(
    async () => {
      found = await place.read('public.office', await place.count('public.office'));
      return found.some(({ key }) => String(key) === LAST);
    },
    { what: 'the last row', timeoutMs: 60_000, intervalMs: 500 },
  );
  // Other partitions are written with it: all of one round are there, or none.
  return place.read('public.office', await place.count('public.office'));
}

test('killed at random moments under load, every change is there, each key in order', async () => {
  const seed = newSeed();
  const chance = new Random(seed);
  await using pair = await freshPair();
  const { source } = pair;
  using place = await RelayPlace.open(pair, bootstrap);
  const over = new AbortController();
  const load = countUp(source, chance, over.signal);
  for (let kills = 0; kills < 5; kills++) {
    await using relay = place.start();
    await Promise.race([wait(chance.int(1_500, 5_000)), relay.exited]);
    expect(await relay.stop('SIGKILL'), `seed ${seed}: ${relay.output}`).toBeNull();
  }
  over.abort();
  await load;
  await using relay = place.start();
  const messages = await relay.during(everything(source, place), `seed ${seed}`, 90_000);
  assertComplete(messages, await rowsOf(source));
  expect(await relay.stop()).toBe(0);
}, 180_000);

test('while the broker is away it waits, and goes on when the broker is there again', async () => {
  const seed = newSeed();
  await using broker = await startBroker();
  await using pair = await freshPair();
  const { source } = pair;
  using place = await RelayPlace.open(pair, broker.bootstrap);
  await using relay = await place.started();
  const over = new AbortController();
  const load = countUp(source, new Random(seed), over.signal);
  await relay.during(place.read('public.office', 100), 'the first messages');
  await broker.kill();
  const { slot } = await relay.logged('source keeps its log', () => true, 60_000);
  expect(slot).toBe(source.name);
  await broker.start();
  over.abort();
  await load;
  const messages = await relay.during(everything(source, place), `seed ${seed}`, 90_000);
  assertComplete(messages, await rowsOf(source));
}, 180_000);

test('a transaction of 100,000 rows passes within its memory', async () => {
  await using pair = await freshPair();
  const { source } = pair;
  using place = await RelayPlace.open(pair, bootstrap);
  await using relay = await place.started({ MEMORY_LIMIT: '256MB' });
  // As events and as messages they would be half a gigabyte.
  const names = `repeat(md5(i::text), 40)`;
  await source.query(
    `insert into office select i, ${names}, null from generate_series(1, 100000) i`,
  );
  let largest = 0;
  await relay.during(
    waitFor(
      async () => {
        largest = Math.max(largest, await residentBytes(relay.pid));
        return (await place.count('public.office')) >= 100_000;
      },
      { what: 'all rows', timeoutMs: 90_000, intervalMs: 100 },
    ),
    'all rows',
    100_000,
  );
  expect(largest).toBeLessThan(384 * 1024 * 1024);
}, 180_000);

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
