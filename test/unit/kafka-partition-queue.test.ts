import { expect, test } from 'vitest';
import { PartitionQueue, type Arrived } from '../../connectors/kafka/partition-queue.ts';
import { takeMessages } from '../../connectors/kafka/take-messages.ts';

const NO_LIMITS = { maxBytes: Infinity, maxEvents: Infinity };

function message(offset: number, timestampMs = offset): Arrived {
  return { offset: `${offset}`, timestamp: `${timestampMs}`, key: null, value: Buffer.alloc(10) };
}

/** A partition of which the target holds everything before `next`. */
function queueAt(next: number, { low = 0, timestampMs = null as number | null, topic = 't' } = {}) {
  const queue = new PartitionQueue(topic, 0);
  queue.begin({ next: BigInt(next), timestampMs });
  queue.place(BigInt(low));
  return queue;
}

/** What a fetch brought, with so many marks of transactions among it. */
const fetched = (messages: readonly Arrived[], end: bigint, marks = 0) => ({
  messages,
  records: messages.length + marks,
  end,
});

const offsets = (queues: PartitionQueue[], limits = NO_LIMITS) =>
  takeMessages(queues, limits)?.messages.map(({ offset }) => Number(offset)) ?? [];

const steps = (queues: PartitionQueue[], limits = NO_LIMITS) =>
  takeMessages(queues, limits)?.position.map(({ from, to, timestampMs }) => [
    Number(from),
    Number(to),
    timestampMs,
  ]) ?? [];

test('only a fetch from the awaited offset is taken', () => {
  const queue = queueAt(5);
  expect(queue.accept(6n, fetched([message(6)], 7n))).toBe('elsewhere');
  expect(queue.accept(4n, fetched([message(4)], 5n))).toBe('elsewhere');
  expect(queue.accept(5n, fetched([message(7)], 8n))).toBe('taken'); // 5 and 6 were compacted away
  expect(queue.accept(8n, fetched([message(8)], 9n))).toBe('taken');
  expect(steps([queue])).toEqual([[5, 9, 8]]);
});

test('a fetch that ends with marks moves the position behind them, and there is no time to compare', () => {
  const queue = queueAt(0);
  queue.accept(0n, fetched([message(0), message(1)], 4n));
  expect(steps([queue], { ...NO_LIMITS, maxEvents: 1 })).toEqual([[0, 1, 0]]);
  expect(steps([queue])).toEqual([[1, 4, null]]);
  expect(steps([queue])).toEqual([]);
  expect(queue.end).toEqual({ next: 4n, timestampMs: null });
});

test('a fetch of marks alone moves the position, where nothing can be in between', () => {
  const queue = queueAt(3);
  queue.passOver(3n, 5n);
  expect(steps([queue])).toEqual([[3, 6, null]]);
  queue.passOver(9n, 9n); // from elsewhere, or behind what compaction has left out
  queue.passOver(null, 7n);
  expect(steps([queue])).toEqual([]);
  queue.passOver(null, 6n); // a batch whose last messages were compacted away
  expect(steps([queue])).toEqual([[6, 7, null]]);
});

test('where fewer records come than offsets lie between, compaction has taken messages out', () => {
  const marked = queueAt(0);
  marked.accept(0n, fetched([message(0), message(2)], 4n, 2));
  marked.passOver(4n, 5n);
  expect(marked.hasGaps).toBe(false);
  const [within, ahead, empty] = [queueAt(0), queueAt(0), queueAt(0)];
  within.accept(0n, fetched([message(0), message(2)], 3n));
  ahead.accept(0n, fetched([message(2), message(3)], 4n));
  empty.passOver(null, 0n);
  expect([within.hasGaps, ahead.hasGaps, empty.hasGaps]).toEqual([true, true, true]);
  within.accept(3n, fetched([message(3)], 4n));
  expect(takeMessages([within], NO_LIMITS)?.position).toMatchObject([{ hasGaps: true }]);
  const later = new PartitionQueue('t', 0);
  later.begin({ next: 4n, timestampMs: null, hasGaps: true });
  expect(later.hasGaps).toBe(true);
});

test('the message before the position is compared, and not given out again', () => {
  const queue = queueAt(5, { timestampMs: 400 });
  expect(queue.fetchFrom).toBe(4n);
  expect(queue.accept(4n, fetched([message(4, 400), message(5, 500)], 6n))).toBe('taken');
  expect(offsets([queue])).toEqual([5]);
});

test('another message in its place is another log', () => {
  const queue = queueAt(5, { timestampMs: 400 });
  expect(queue.accept(4n, fetched([message(4, 401), message(5, 500)], 6n))).toBe('another log');
});

test('a message before the position that has gone cannot be compared', () => {
  const gone = queueAt(5, { timestampMs: 400, low: 5 });
  expect(gone.fetchFrom).toBe(5n);
  const compacted = queueAt(5, { timestampMs: 400 });
  expect(compacted.accept(4n, fetched([message(6)], 7n))).toBe('taken');
  expect(offsets([compacted])).toEqual([6]);
});

test('placed again, it keeps what is waiting and compares its last message', () => {
  const queue = queueAt(0);
  queue.accept(0n, fetched([message(0), message(1, 111)], 2n));
  expect(queue.place(0n)).toBe(1n);
  expect(queue.accept(1n, fetched([message(1, 111), message(2)], 3n))).toBe('taken');
  expect(offsets([queue])).toEqual([0, 1, 2]);
});

test('a partition whose beginning has gone is moved from 0, so that the target can tell', () => {
  const unproven = new PartitionQueue('t', 0);
  unproven.begin({ next: 0n, timestampMs: null });
  unproven.isUnproven = true;
  unproven.place(10n);
  expect(steps([unproven])).toEqual([]);
  unproven.accept(10n, fetched([message(10)], 11n));
  expect(steps([unproven])).toEqual([[0, 11, 10]]);

  const proven = queueAt(0, { low: 10 });
  expect(steps([proven])).toEqual([[0, 10, null]]);
});

test('several partitions are taken from by the time of their messages, each in its order', () => {
  const [a, b] = [queueAt(0, { topic: 'a' }), queueAt(0, { topic: 'b' })];
  a.accept(0n, fetched([message(0, 10), message(1, 30), message(2, 20)], 3n));
  b.accept(0n, fetched([message(0, 15), message(1, 25), message(2, 40)], 3n));
  const taken = takeMessages([a, b], NO_LIMITS);
  expect(taken?.messages.map(({ topic, timestampMs }) => `${topic}${timestampMs}`)).toEqual([
    'a10',
    'b15',
    'b25',
    'a30',
    'a20',
    'b40',
  ]);
});

test('a batch is as large as the limits allow, and one message in any case', () => {
  const queue = queueAt(0);
  const many = Array.from({ length: 10 }, (_, i) => message(i));
  queue.accept(0n, fetched(many, 10n));
  const all = queue.bytes;
  expect(offsets([queue], { maxBytes: 1, maxEvents: 100 })).toEqual([0]);
  expect(offsets([queue], { maxBytes: all / 5, maxEvents: 100 })).toEqual([1, 2]);
  expect(offsets([queue], { maxBytes: all, maxEvents: 3 })).toEqual([3, 4, 5]);
  expect(queue.bytes).toBe((all / 10) * 4);
  queue.forget();
  expect(queue.bytes).toBe(0);
});
