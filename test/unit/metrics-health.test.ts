import { expect, test } from 'vitest';
import { TandemError } from '../../core/errors.ts';
import type { Batch, ChangeSource, Position } from '../../core/ports.ts';
import type { Lsn } from '../../core/version.ts';
import { Heartbeats } from '../../monitoring/health/heartbeats.ts';
import { Liveness } from '../../monitoring/health/liveness.ts';
import { missingToBeReady, type ReadinessFacts } from '../../monitoring/health/readiness.ts';
import { WalBudget } from '../../monitoring/sample/wal-budget.ts';
import { sampleAt, sourceSample, targetSample } from '../harness/filled-metrics.ts';
import { SMALL_MAPPING } from '../harness/small-mapping.ts';

test('the age of a heartbeat grows until a newer one is in the target', () => {
  const heartbeats = new Heartbeats(true);
  expect(heartbeats.age(0)).toBeNull();
  heartbeats.note(40, 1_000);
  expect([heartbeats.age(1_000), heartbeats.age(3_000)]).toEqual([40, 2_040]);
  heartbeats.note(500, 3_000);
  expect(heartbeats.age(3_000)).toBe(500);
  // A look that began before that commit and came back after it.
  heartbeats.note(2_100, 3_100);
  expect(heartbeats.age(3_100)).toBe(600);
});

test('a clock that is ahead makes no negative age', () => {
  const heartbeats = new Heartbeats(true);
  heartbeats.note(-300, 1_000);
  expect(heartbeats.age(1_000)).toBe(0);
});

const ready: ReadinessFacts = {
  mapping: SMALL_MAPPING,
  nowMs: 10_000,
  limitMs: 30_000,
  sample: sampleAt(9_000),
  heartbeats: { areSent: true, ageMs: 1_000 },
};
const missing = (change: Partial<ReadinessFacts>) =>
  missingToBeReady({ ...ready, ...change }).map(({ what, detail }) => `${what}: ${detail}`);
const target = (change: Parameters<typeof targetSample>[0]) => ({
  sample: sampleAt(9_000, { target: { value: targetSample(change) } }),
});
const away = { failure: new TandemError('SOURCE_UNREACHABLE') };

test('a target that is loaded, derived, consistent and has a young heartbeat lacks nothing', () => {
  expect(missing({})).toEqual([]);
  expect(missing({ heartbeats: { areSent: true, ageMs: 30_000 } })).toEqual([]);
});

test('what a target lacks is named', () => {
  expect(missing({ sample: null })).toEqual(['target: it has not been asked yet']);
  expect(missing({ sample: sampleAt(0, { target: { value: null } }) })).toEqual([
    'setup: the stream is not set up',
  ]);
  const failure = new TandemError('TARGET_UNREACHABLE');
  expect(missing({ sample: sampleAt(0, { target: { failure } }) })).toEqual([
    'target: it cannot be asked: TARGET_UNREACHABLE',
  ]);
  expect(missing(target({ loadedTables: 3 }))).toEqual(['load: 3 of 4 tables are loaded']);
  expect(missing(target({ tables: 0, loadedTables: 0 }))).toEqual([
    'load: 0 of 0 tables are loaded',
  ]);
  const derived = new Map(targetSample().entities);
  derived.delete('office');
  expect(missing(target({ entities: derived }))).toEqual(['derive: not derived yet: office']);
  expect(missing(target({ isConsistent: false }))).toEqual([
    'consistency: the stream has not passed the place where the last chunk was read',
  ]);
  expect(missing({ nowMs: 50_000 })).toEqual(['target: it was last asked 41 s ago']);
});

test('an old heartbeat, or none, is named with the cause where it is known', () => {
  expect(missing({ heartbeats: { areSent: true, ageMs: null } })).toEqual([
    'heartbeat: none is in the target yet',
  ]);
  expect(missing({ heartbeats: { areSent: true, ageMs: 45_000 } })).toEqual([
    'heartbeat: the newest one in the target is 45 s old, the limit is 30 s',
  ]);
  const cut = sampleAt(9_000, { source: away });
  expect(missing({ sample: cut, heartbeats: { areSent: true, ageMs: 45_000 } })).toEqual([
    'heartbeat: the newest one in the target is 45 s old, the limit is 30 s; the source cannot be asked: SOURCE_UNREACHABLE',
  ]);
  // Cut a moment ago: what is in the target is as fresh as it may be.
  expect(missing({ sample: cut })).toEqual([]);
});

test('without heartbeats the lag in bytes decides', () => {
  const heartbeats = { areSent: false, ageMs: null };
  const ahead = (bytes: bigint) => {
    const end = (targetSample().position + bytes) as Lsn;
    return sampleAt(9_000, { source: { value: { ...sourceSample(), end } } });
  };
  const limit = 16n * 1024n * 1024n;
  expect(missing({ heartbeats, sample: ahead(limit) })).toEqual([]);
  expect(missing({ heartbeats, sample: ahead(limit + 1n) })).toEqual([
    'lag: the target is 16777217 bytes behind, the limit is 16777216',
  ]);
  expect(missing({ heartbeats, sample: sampleAt(9_000, { source: away }) })).toEqual([
    'lag: the source cannot be asked: SOURCE_UNREACHABLE',
  ]);
});

test('the time until the budget is used up follows the last minutes', () => {
  const budget = new WalBudget();
  expect(budget.secondsLeft()).toBeNull();
  for (let second = 0; second <= 600; second += 5) {
    // Stands still for five minutes, then loses 1,000 bytes a second.
    budget.note(second * 1_000, 1_000_000 - Math.max(0, second - 300) * 1_000);
  }
  expect(budget.secondsLeft()).toBeCloseTo(700);
  for (let second = 605; second <= 1_000; second += 5) budget.note(second * 1_000, 700_000);
  expect(budget.secondsLeft()).toBe(Infinity);
  budget.note(1_005_000, 0);
  expect(budget.secondsLeft()).toBe(0);
  budget.note(1_010_000, null);
  budget.note(1_015_000, 500);
  expect(budget.secondsLeft()).toBeNull();
});

const batch = { complete: true } as Batch;

/** Hands out as many batches as it is asked for. */
const endless: ChangeSource = {
  async *batches(_after, { signal }) {
    while (!signal.aborted) yield batch;
  },
  confirm: async () => undefined,
};

test('a loop that sits on a batch is hung; one that waits for the source is not', async () => {
  let now = 0;
  const liveness = new Liveness({ now: () => now }, 60_000);
  const options = { maxBytes: 1, maxEvents: 1, signal: new AbortController().signal };
  const batches = liveness.watch(endless).batches('0/0' as Position, options);
  const iterator = batches[Symbol.asyncIterator]();
  now = 1_000_000;
  expect(liveness.judge()).toEqual({ alive: true, loop: 'waits for changes' });
  await iterator.next();
  now += 59_000;
  expect(liveness.judge()).toEqual({ alive: true, loop: 'has had a batch in hand for 59 s' });
  now += 1_000;
  expect(liveness.judge().alive).toBe(false);
  await iterator.next();
  expect(liveness.judge().alive).toBe(true);
  await iterator.return?.();
  now += 1_000_000;
  expect(liveness.judge()).toEqual({ alive: true, loop: 'waits for changes' });
});

test('a watched source ends as the source itself does, also while it is waited for', async () => {
  const over = new AbortController();
  let isClosed = false;
  const waiting: ChangeSource = {
    async *batches(_after, { signal }) {
      try {
        yield batch;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      } finally {
        isClosed = true;
      }
    },
    confirm: async () => undefined,
  };
  const options = { maxBytes: 1, maxEvents: 1, signal: over.signal };
  let now = 0;
  const liveness = new Liveness({ now: () => now });
  const watched = liveness.watch(waiting);
  const iterator = watched.batches('0/0' as Position, options)[Symbol.asyncIterator]();
  await iterator.next();
  const next = iterator.next();
  now = 86_400_000;
  expect(liveness.judge()).toEqual({ alive: true, loop: 'waits for changes' });
  const ended = iterator.return?.();
  over.abort();
  expect([(await next).done, (await ended)?.done, isClosed]).toEqual([true, true, true]);
});
