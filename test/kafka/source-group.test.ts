import { createConnection, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { ISocketFactory } from 'kafkajs';
import { beforeAll, expect, test } from 'vitest';
import { parseLogPosition } from '../../connectors/kafka/log-position.ts';
import type { Position } from '../../core/ports.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { notes, TestLog } from './log-bench.ts';
import { consumer, MemoryTarget } from './memory-target.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

const sorted = (ids: readonly number[]) => [...ids].sort((a, b) => a - b);
const ids = (first: number, count: number) => notes(first, count).map(({ id }) => id);

/** The network of one member, which may be cut: then it can neither read nor say that it leaves. */
class Wire {
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  readonly factory: ISocketFactory = ({ host, port, onConnect }) => {
    // Nobody listens on port 1: a connection that is refused.
    const socket = createConnection({ host, port: this.#isCut ? 1 : port }, onConnect);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  };

  cut(): void {
    this.#isCut = true;
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    for (const socket of this.#sockets) socket.destroy(reset);
  }

  mend(): void {
    this.#isCut = false;
  }
}

test('two members share the partitions, and one that is lost is replaced without a gap', async () => {
  await using log = await TestLog.open(bootstrap, 6);
  const target = new MemoryTarget();
  const wire = new Wire();
  const mine = log.source(target);
  const theirs = log.source(target, { kafka: log.client({ socketFactory: wire.factory }) });
  const [one, two] = [consumer(mine, target), consumer(theirs, target)];
  await one.until(
    'a share for each',
    () => mine.assigned().length > 0 && theirs.assigned().length > 0,
  );
  await log.write(notes(1, 5_000));
  await one.until('the first', () => target.ids.length >= 2_000);
  wire.cut();
  await log.write(notes(5_001, 5_000));
  await one.until('all by one', () => target.ids.length >= 10_000);
  expect(mine.assigned()).toHaveLength(7);

  wire.mend();
  await two.until('it has joined again', () => theirs.assigned().length > 0);
  await log.write(notes(10_001, 5_000));
  await one.until('all by both', () => target.ids.length >= 15_000);
  await Promise.all([one.stop(), two.stop()]);
  expect(sorted(target.ids)).toEqual(ids(1, 15_000));
});

test('a member that comes back with a batch in hand is refused, and reads on', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  const wire = new Wire();
  const frozen = log.source(target, { kafka: log.client({ socketFactory: wire.factory }) });
  let wake: () => void = () => undefined;
  const asleep = new Promise<void>((resolve) => (wake = resolve));
  let inHand = 0;
  await log.write(notes(1, 100));
  const one = consumer(frozen, target, {
    maxEvents: 10,
    before: (batch) => {
      inHand += batch.events.length;
      return asleep;
    },
  });
  await one.until('a batch in hand', () => inHand > 0);
  wire.cut();
  const two = consumer(log.source(target), target);
  await two.until('another to take over', () => target.ids.length >= 100);
  wire.mend();
  wake();
  await one.until('a refusal', () => target.refused > 0);
  await two.stop();
  await log.write(notes(101, 50));
  await one.until('the rest', () => target.ids.length >= 150);
  await one.stop();
  expect(sorted(target.ids)).toEqual(ids(1, 150));
});

test('members that come and go all the time leave no gap', async () => {
  await using log = await TestLog.open(bootstrap, 4);
  const target = new MemoryTarget();
  const steady = consumer(log.source(target), target, { maxEvents: 50 });
  let written = 0;
  for (let round = 0; round < 6; round++) {
    const guest = consumer(log.source(target), target, {
      maxEvents: () => 1 + Math.floor(Math.random() * 100),
    });
    for (let i = 0; i < 10; i++) {
      await log.write(notes(written + 1, 100));
      written += 100;
      await pause(100);
    }
    await guest.stop();
  }
  await steady.until('all notes', () => target.ids.length >= written);
  await steady.stop();
  expect(sorted(target.ids)).toEqual(ids(1, written));
});

test('after a rewind it begins again where the target stands', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  const source = log.source(target);
  await log.write(notes(1, 1_000));
  const over = new AbortController();
  const limits = { maxBytes: 1_000_000, maxEvents: 100, signal: over.signal };
  const batches = source.batches('' as Position, limits);
  const next = async () => {
    const { value } = await batches.next();
    if (value === undefined) throw new Error('it has ended');
    return value;
  };
  try {
    const first = await next();
    await next();
    source.rewind();
    expect(await next()).toEqual(first);
    target.apply(first);
    source.rewind();
    expect(parseLogPosition((await next()).position)).toMatchObject([{ from: 100n, to: 200n }]);
  } finally {
    over.abort();
    await batches.return();
  }
});
