import { beforeAll, expect, test } from 'vitest';
import type { Batch } from '../../core/ports.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { waitFor } from '../harness/wait-for.ts';
import { NoteDecoder, notes, TestLog } from './log-bench.ts';
import { consumer, MemoryTarget } from './memory-target.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

const NOTES = 20_000;
const ids = (first: number) => notes(first, NOTES - first + 1).map(({ id }) => id);

/** A log of several batches, read by a target that stops at the first one until `held` lets it go. */
function reading(log: TestLog, held: (batch: Batch, decoder: NoteDecoder) => Promise<void>) {
  const target = new MemoryTarget();
  const decoder = new NoteDecoder();
  let isFirst = true;
  const before = async (batch: Batch) => {
    if (batch.events.length === 0 || !isFirst) return;
    isFirst = false;
    await held(batch, decoder);
  };
  const source = log.source(target, { decoder });
  return { target, reader: consumer(source, target, { maxBytes: 1_000_000, before }) };
}

const decodedAhead = (batch: Batch, decoder: NoteDecoder) =>
  waitFor(async () => decoder.prepared > batch.events.length, { what: 'the next batch, decoded' });

test('while the target works on a batch, the next one is decoded', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  await log.write(notes(1, NOTES));
  const { target, reader } = reading(log, async (batch, decoder) => {
    await decodedAhead(batch, decoder);
  });
  await reader.until('all notes', () => target.ids.length >= NOTES);
  await reader.stop();
  expect(target.ids).toEqual(ids(1));
  expect(target.refused).toBe(0);
});

test('what was decoded ahead is forgotten where another consumer was faster', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  await log.write(notes(1, NOTES));
  const name = `${log.topic}/0`;
  const { target, reader } = reading(log, async (batch, decoder) => {
    await decodedAhead(batch, decoder);
    target.partitions.set(name, { next: 100n, timestampMs: null });
  });
  await reader.until('the rest', () => target.partitions.get(name)?.next === BigInt(NOTES));
  await reader.stop();
  expect(target.ids).toEqual(ids(101));
  expect(target.refused).toBe(1); // the batch in hand, and not the one behind it
});
