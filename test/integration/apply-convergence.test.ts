import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openClient } from '../../connectors/postgres/connection.ts';
import { pauseEntities, resumeEntities } from '../../consumers/entity-state.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { SourceReader } from '../../core/ports.ts';
import { compareVersions } from '../../core/version.ts';
import { afterSlices, pidOf, version, type OpenApplier } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';
import {
  cut,
  cuts,
  expectConverged as expectBenchConverged,
  expectTarget as expectBenchTarget,
  history,
} from '../harness/converged.ts';
import { mirrorOf, plainState, type LegacyState } from '../harness/small-expected.ts';
import { inLanes, play, readerAt, shuffled, type History } from '../harness/small-history.ts';

/** `TANDEM_RUNS=20` looks twenty times as long. */
const RUNS = Number(process.env['TANDEM_RUNS'] ?? 1);

const bench = await benchForFile();

const expectConverged = (past: History) => expectBenchConverged(bench, past);
const expectTarget = (final: LegacyState) => expectBenchTarget(bench, final);

async function applyAll(open: OpenApplier, batches: readonly (readonly ChangeEvent[])[]) {
  for (const events of batches) await bench.apply(open, ...events);
  await bench.runJobs(open);
}

test('any history in batches of any size ends as the mapping of its last state', async () => {
  await fc.assert(
    fc.asyncProperty(history, cuts, async (steps, lengths) => {
      await bench.reset();
      const past = play(bench, steps);
      await using open = await bench.applier();
      await applyAll(open, cut(past.events, lengths));
      await expectConverged(past);
    }),
    { numRuns: 25 * RUNS },
  );
});

test('rows of many topics in any order, with repetitions, end the same', async () => {
  const choices = fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 20 });
  /** After so many batches, go back by so many. */
  const returns = fc.array(fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 4 })), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(history, cuts, choices, returns, async (steps, lengths, order, back) => {
      await bench.reset();
      const past = play(bench, steps);
      await using open = await bench.applier({ reader: readerAt(bench, past) });
      const batches = cut(shuffled(past.events, 5, order), lengths);
      const delivered: ChangeEvent[][] = [];
      for (let at = 0, turn = 0; at < batches.length; turn++) {
        const [after, by] = back[turn] ?? [batches.length, 0];
        delivered.push(...batches.slice(at, at + after + 1));
        at = Math.max(0, at + after + 1 - by);
        if (turn > back.length && at < batches.length) break;
      }
      await applyAll(open, delivered);
      await expectConverged(past);
    }),
    { numRuns: 25 * RUNS },
  );
});

test('whole rows in any order at all, also inside of a batch, end the same', async () => {
  await fc.assert(
    fc.asyncProperty(history, cuts, fc.infiniteStream(fc.nat()), async (steps, lengths, random) => {
      await bench.reset();
      const past = play(
        bench,
        steps.map((it) => ({ ...it, keepsLarge: false })),
      );
      const places = new Map(past.events.map((event) => [event, random.next().value as number]));
      const order = [...past.events].sort(
        (a, b) =>
          (places.get(a) ?? 0) - (places.get(b) ?? 0) || compareVersions(a.version, b.version),
      );
      await using open = await bench.applier();
      await applyAll(open, cut(order, lengths));
      await expectConverged(past);
    }),
    { numRuns: 25 * RUNS },
  );
});

test('a session that ends anywhere changes nothing: the next one goes on from the position', async () => {
  /** Before which statement of which session it is ended; a plain error instead for the odd ones. */
  const crashes = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.boolean()), {
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(history, cuts, crashes, async (steps, lengths, ends) => {
      await bench.reset();
      const past = play(bench, steps);
      const batches = cut(past.events, lengths).map((events) => bench.batch(events));
      for (let session = 0; ; session++) {
        await using open = await bench.applier();
        const next = batches.findIndex((batch) => batch.position === open.applier.position) + 1;
        const [after, isKill] = ends[session] ?? [null, false];
        if (after !== null) breakAfter(open, after, isKill);
        try {
          for (const batch of batches.slice(next)) await open.applier.apply(batch);
          await bench.runJobs(open);
          if (after === null) break;
        } catch (error) {
          if (after === null) throw error;
        }
      }
      await expectConverged(past);
    }),
    { numRuns: 20 * RUNS },
  );
});

/** From its `statements`-th statement on the session is dead, or every statement fails. */
function breakAfter({ client }: OpenApplier, statements: number, isKill: boolean): void {
  const query = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>;
  let left = statements;
  const broken = async (...given: unknown[]): Promise<unknown> => {
    if (--left > 0) return query(...given);
    if (isKill) await bench.query('select pg_terminate_backend($1)', [pidOf(client)]);
    else if (left === 0) await query('rollback');
    if (!isKill) throw Object.assign(new Error('Connection terminated'), { code: '57P01' });
    return query(...given);
  };
  (client as { query: unknown }).query = broken;
}

test('a copy that saw rows too early is healed by the stream from the start of the slot', async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      cuts,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      async (steps, lengths, start, random) => {
        await bench.reset();
        const past = play(bench, steps);
        // The slot begins here; every row is copied as it is at some moment after that.
        const first = Math.floor(start * past.events.length);
        const point = version(Number(past.events[first - 1]?.version.commitLsn ?? 1n) + 1, 0);
        const stream = past.events.filter((event) => event.version.commitLsn >= point.commitLsn);
        const copied: ChangeEvent[] = [];
        for (const table of bench.model.mirror.values()) {
          for (const key of past.everSeen) {
            if (!key.startsWith(`${table.name} `)) continue;
            const before = past.events.length - stream.length;
            const moment =
              before + Math.floor((random.next().value as number) * (stream.length + 1));
            const seen = play(bench, steps, moment).final.get(table.name);
            const row = seen?.get(key.slice(table.name.length + 1));
            if (row !== undefined) copied.push(bench.write('read', table.name, row, point));
          }
        }
        await using open = await bench.applier({ reader: readerAt(bench, past) });
        await applyAll(open, [...cut(copied, lengths), ...cut(stream, lengths)]);
        const { state } = await mirrorOf(bench);
        expect(plainState(state)).toEqual(plainState(past.final));
        await expectTarget(past.final);
      },
    ),
    { numRuns: 20 * RUNS },
  );
});

test('transactions in pieces, with more roots than memory may hold and jobs between, end the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      cuts,
      fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, lengths, ends, maxRoots) => {
        await bench.reset();
        const past = play(bench, steps);
        await using open = await bench.applier({ maxRoots });
        const pieces = cut(past.events, lengths);
        for (const [i, events] of pieces.entries()) {
          const complete = i === pieces.length - 1 || ends[i % ends.length] === true;
          const isCommitted = await open.applier.apply(bench.batch(events, { complete }));
          expect(isCommitted).toBe(complete);
          if (complete && i % 3 === 0) await open.applier.runJob();
        }
        await bench.runJobs(open);
        await expectConverged(past);
      },
    ),
    { numRuns: 25 * RUNS },
  );
});

/** Applies batches of one stream, and jobs between; a deadlock's victim begins anew. */
async function applyInLane(
  pieces: readonly (readonly ChangeEvent[])[],
  stream: string,
  reader: SourceReader,
): Promise<void> {
  const batches = pieces.map((piece) => bench.batch(piece));
  for (let isDone = false; !isDone;) {
    await using open = await bench.applier({ stream, reader });
    const { applier } = open;
    const next = batches.findIndex((batch) => batch.position === applier.position) + 1;
    try {
      for (const batch of batches.slice(next)) {
        await applier.apply(batch);
        await applier.runJob(afterSlices(3));
      }
      isDone = true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'TARGET_BUSY' });
    }
  }
}

test('several processes that share the tables end the same, in whatever way they meet', async () => {
  const LANES = 3;
  for (let lane = 0; lane < LANES; lane++) await bench.addStream(`lane ${lane}`);
  await fc.assert(
    fc.asyncProperty(history, cuts, async (steps, lengths) => {
      await bench.reset();
      const past = play(bench, steps);
      const reader = readerAt(bench, past);
      await Promise.all(
        inLanes(past.events, LANES).map((events, lane) =>
          applyInLane(cut(events, lengths), `lane ${lane}`, reader),
        ),
      );
      await using open = await bench.applier();
      await bench.runJobs(open);
      await expectConverged(past);
    }),
    { numRuns: 20 * RUNS },
  );
});

/** Which entity is paused or set going again next; every other of the same one does the opposite. */
const turns = fc.array(fc.nat({ max: 99 }), { minLength: 1, maxLength: 12 });

/** Pauses entities and lets them go on, one after the other; returns at the end with none paused. */
async function pauseAndResume(choices: readonly number[], between: () => Promise<void>) {
  const names = bench.model.entities.map(({ name }) => name);
  const person = await openClient(bench.target, 'test person');
  try {
    for (const choice of choices) {
      const name = names[choice % names.length] ?? '';
      const paused = await pauseEntities(person, [name], null);
      if (paused.length === 0) await resumeEntities(person, [name]);
      await between();
    }
    await resumeEntities(person, names);
  } finally {
    await person.end();
  }
}

test('entities that are paused and go on at any time miss nothing', async () => {
  await fc.assert(
    fc.asyncProperty(history, cuts, turns, async (steps, lengths, choices) => {
      await bench.reset();
      const past = play(bench, steps);
      await using open = await bench.applier({ maxRoots: 3 });
      const batches = cut(past.events, lengths);
      await pauseAndResume(choices, async () => {
        const events = batches.shift();
        if (events !== undefined) await bench.apply(open, ...events);
        if (batches.length % 2 === 0) await open.applier.runJob();
      });
      await applyAll(open, batches);
      await expectConverged(past);
    }),
    { numRuns: 25 * RUNS },
  );
});

test('also while several processes are at work', async () => {
  const LANES = 2;
  for (let lane = 0; lane < LANES; lane++) await bench.addStream(`lane ${lane}`);
  await fc.assert(
    fc.asyncProperty(history, cuts, turns, async (steps, lengths, choices) => {
      await bench.reset();
      const past = play(bench, steps);
      const reader = readerAt(bench, past);
      const work = Promise.all(
        inLanes(past.events, LANES).map((events, lane) =>
          applyInLane(cut(events, lengths), `lane ${lane}`, reader),
        ),
      );
      // Not waited for in between: whoever comes first has the position.
      await pauseAndResume(choices, () => Promise.resolve());
      await work;
      await using open = await bench.applier();
      await bench.runJobs(open);
      await expectConverged(past);
    }),
    { numRuns: 20 * RUNS },
  );
});

test('an applier that lost the stream to a younger one writes nothing more', async () => {
  await bench.reset();
  await using old = await bench.applier();
  await bench.apply(old, bench.write('create', 'office', { id: 1, name: 'a' }, version(1)));
  await using young = await bench.applier();
  const change = bench.write('update', 'office', { id: 1, name: 'b' }, version(2));
  await expect(bench.apply(old, change)).rejects.toMatchObject({ code: 'POSITION_TAKEN' });
  const piece = bench.batch([change], { complete: false });
  await expect(old.applier.apply(piece)).rejects.toMatchObject({ code: 'POSITION_TAKEN' });
  expect(await bench.query('select name from legacy.office')).toEqual([{ name: 'a' }]);
  await bench.apply(young, change);
  expect(await bench.query('select name from offices')).toEqual([{ name: 'b' }]);
});

test('two appliers of one epoch: the one whose position has moved on writes nothing', async () => {
  await bench.reset();
  await using one = await bench.applier();
  await bench.query('update tandem.position set position = $1', ['somewhere else']);
  const change = bench.write('create', 'office', { id: 1, name: 'a' }, version(1));
  await expect(bench.apply(one, change)).rejects.toMatchObject({ code: 'POSITION_TAKEN' });
  expect(await bench.query('select id from legacy.office')).toEqual([]);
});
