import { expect, test } from 'vitest';
import { generateLegacy } from '../../demo/legacy/generate.ts';
import { LEGACY_TABLES } from '../../demo/legacy/schema.ts';
import { startTraffic, type TrafficReport } from '../../demo/legacy/traffic.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';

async function tinyDatabase(): Promise<TestDatabase> {
  const db = await freshDatabase();
  await generateLegacy({ connectionString: db.connectionString, seed: 7, scale: 'tiny' });
  return db;
}

async function rowCounts(db: TestDatabase): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { name } of LEGACY_TABLES) {
    const [row] = await db.query(`select count(*)::int as n from "${name}"`);
    counts.set(name, Number(row?.['n']));
  }
  return counts;
}

/** Runs until so many transactions are committed, whatever time that takes. */
async function trafficOf(
  db: TestDatabase,
  transactions: number,
  options: { connections: number; burst?: { every: number; tasks: number } },
): Promise<TrafficReport> {
  const stop = new AbortController();
  let committed = 0;
  return startTraffic({
    connectionString: db.connectionString,
    seed: 3,
    changesPerSecond: 1_000_000,
    signal: stop.signal,
    onTransaction: () => {
      committed += 1;
      if (committed >= transactions) stop.abort();
    },
    ...options,
  });
}

test('the report accounts for every row that came or went', async () => {
  await using db = await tinyDatabase();
  const before = await rowCounts(db);
  const report = await trafficOf(db, 2500, { connections: 2, burst: { every: 300, tasks: 2500 } });
  const after = await rowCounts(db);
  for (const [name, count] of before) {
    const change = (report.inserts[name] ?? 0) - (report.deletes[name] ?? 0);
    expect([name, after.get(name)]).toEqual([name, count + change]);
  }
});

test('a day of traffic acts out every trap of the stream', async () => {
  await using db = await tinyDatabase();
  const report = await trafficOf(db, 4000, { connections: 1, burst: { every: 500, tasks: 2000 } });
  expect(Object.keys(report.traps)).toEqual(
    expect.arrayContaining(
      'T07 T19 T20 T26 T31 T33 T34 T43 T54 T66 T73 T82 T83 T84 T85 T86 T87'.split(' '),
    ),
  );
  expect(report.rolledBack).toBeGreaterThan(0);
});

test('the same seed on one connection makes the same choices', async () => {
  await using one = await tinyDatabase();
  await using two = await tinyDatabase();
  const first = await trafficOf(one, 500, { connections: 1 });
  const second = await trafficOf(two, 500, { connections: 1 });
  expect(second).toEqual(first);
});

test('traffic that starts again with the same seed does not invent the same names again', async () => {
  await using db = await tinyDatabase();
  await trafficOf(db, 300, { connections: 2 });
  const second = await trafficOf(db, 300, { connections: 2 });
  expect(second.inserts['auth_user']).toBeGreaterThan(0);
});

test('the rate is kept', async () => {
  await using db = await tinyDatabase();
  const stop = new AbortController();
  const started = performance.now();
  let changes = 0;
  await startTraffic({
    connectionString: db.connectionString,
    seed: 3,
    changesPerSecond: 200,
    signal: stop.signal,
    onTransaction: (more) => {
      changes += more;
      if (changes >= 400) stop.abort();
    },
  });
  // Reaching 400 changes at 200 a second takes two seconds, less the last transaction.
  expect(performance.now() - started).toBeGreaterThan(1500);
});

test('an abort before the start changes nothing', async () => {
  await using db = await tinyDatabase();
  const report = await startTraffic({
    connectionString: db.connectionString,
    seed: 3,
    changesPerSecond: 200,
    signal: AbortSignal.abort(),
  });
  expect(report.transactions).toBe(0);
});
