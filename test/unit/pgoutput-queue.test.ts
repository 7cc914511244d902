import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchQueue } from '../../connectors/postgres/batch-queue.ts';
import { PgoutputDecoder } from '../../connectors/postgres/pgoutput/decode.ts';
import { TransactionReader } from '../../connectors/postgres/transaction-reader.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { Batch } from '../../core/ports.ts';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { message, tableOf, TYPES } from './pgoutput-wire.ts';

const TABLE = tableOf([['id', 'integer']]);
const lsn = (value: number) => BigInt(value) as Lsn;

function event(id: number): ChangeEvent {
  const version = { commitLsn: lsn(1), changeLsn: lsn(1) };
  return { kind: 'create', table: TABLE, version, committedAt: '', row: [`${id}`], oldKey: null };
}

type Transaction = readonly number[]; // bytes per event

/** What arrives and when somebody pulls, in any mixture. */
const HISTORY = fc.array(
  fc.oneof(
    fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 }).map((tx): Transaction => tx),
    fc.constant('heartbeat' as const),
    fc.constant('keepalive' as const),
  ),
);

test('whatever arrives and whenever it is pulled: all events, in order, transactions whole or in pieces', () => {
  const limits = { maxBytes: 60, maxEvents: 6 };
  const pulls = fc.infiniteStream(fc.boolean());
  fc.assert(
    fc.property(HISTORY, pulls, (history, pull) => {
      const queue = new BatchQueue(lsn(0));
      const batches: Batch[] = [];
      const ends = new Map<string, number>();
      const takeAll = () => {
        for (let next = queue.take(limits); next !== null; next = queue.take(limits)) {
          batches.push(next);
        }
      };
      const maybeTake = () => pull.next().value === true && takeAll();
      let at = 0;
      let id = 0;
      let heartbeats = 0;
      for (const item of history) {
        at += 10;
        if (item === 'keepalive') queue.advance(lsn(at));
        else if (item === 'heartbeat') queue.heartbeat(lsn(at), { sentAtMs: ++heartbeats });
        else {
          queue.begin();
          for (const bytes of item) {
            queue.add(event(id), bytes);
            ends.set(`${id++}`, at);
            maybeTake();
          }
          queue.commit(lsn(at), at);
        }
        maybeTake();
      }
      takeAll();

      const events = batches.flatMap((batch) => batch.events);
      expect(events).toEqual(Array.from({ length: id }, (_, i) => event(i)));
      expect(queue.bytes).toBe(0);
      let inPieces = false;
      let position = 0n;
      for (const batch of batches) {
        const found = batch.events.map((it) => ('row' in it ? ends.get(it.row[0] ?? '') : 0));
        if (!batch.complete || inPieces) expect(new Set(found).size).toBeLessThanOrEqual(1);
        if (!batch.complete) {
          // Never a position from which the rest of the transaction would be missed.
          expect(batch.bytes).toBeGreaterThanOrEqual(limits.maxBytes);
          expect(parseLsn(batch.position)).toBe(position);
        } else {
          const last = found.at(-1);
          if (last !== undefined) expect(parseLsn(batch.position)).toBeGreaterThanOrEqual(last);
          expect(parseLsn(batch.position) >= position).toBe(true);
        }
        // Nothing that is given out later may lie before the position.
        position = parseLsn(batch.position);
        inPieces = !batch.complete;
      }
      const positions = batches.map((batch) => parseLsn(batch.position));
      for (const [i, batch] of batches.entries()) {
        const first = batch.events[0];
        const end = first && 'row' in first ? ends.get(first.row[0] ?? '') : undefined;
        const before = positions[i - 1];
        if (end !== undefined && before !== undefined) expect(BigInt(end) > before).toBe(true);
      }
      const beats = batches.flatMap((batch) => batch.heartbeat?.sentAtMs ?? []);
      expect(beats).toEqual([...beats].sort((a, b) => a - b));
      expect(beats.at(-1) ?? 0).toBe(heartbeats);
    }),
  );
});

test('a keepalive moves the position on only when nothing is pending', () => {
  const queue = new BatchQueue(lsn(10));
  expect(queue.hasIdled).toBe(false);
  queue.begin();
  queue.advance(lsn(50)); // inside a transaction: the server may be ahead of what it has sent
  queue.add(event(1), 1);
  queue.commit(lsn(40), 0);
  expect(queue.take({ maxBytes: 100, maxEvents: 10 })?.position).toBe('0/28');
  queue.advance(lsn(60));
  expect(queue.hasIdled).toBe(true);
  expect(queue.takeIdle()).toMatchObject({ position: '0/3C', events: [], complete: true });
  queue.advance(lsn(20));
  expect(queue.hasIdled).toBe(false);
});

function reader(after: number): { reader: TransactionReader; queue: BatchQueue } {
  const queue = new BatchQueue(lsn(after));
  const decoder = new PgoutputDecoder(new Map([['public.note', TABLE]]), TYPES);
  const it = new TransactionReader({ decoder, queue, after: lsn(after), onRelation: () => {} });
  it.receive('0/0', message.relation([{ name: 'id', oid: 23, inKey: true }]));
  return { reader: it, queue };
}

test('a transaction that ended at the position or before is left out, the one right behind is not', () => {
  const { reader: it, queue } = reader(0x20);
  for (const [start, end] of [
    [0x10, 0x18],
    [0x18, 0x20],
    [0x20, 0x28],
  ] as const) {
    it.receive(`0/${start.toString(16)}`, message.begin(BigInt(start)));
    it.receive('0/5', message.insert([String(start)]));
    it.receive(`0/${end.toString(16)}`, message.commit(BigInt(start), BigInt(end)));
  }
  const batch = queue.take({ maxBytes: 1000, maxEvents: 10 });
  expect(batch?.events).toMatchObject([
    { row: [String(0x20)], version: { commitLsn: 0x20n, changeLsn: 5n } },
  ]);
  expect(batch?.position).toBe('0/28');
});

test('an order that the protocol does not know is refused', () => {
  const insert = message.insert(['1']);
  const cases: (readonly Buffer[])[] = [
    [insert],
    [message.begin(8n), message.begin(9n)],
    [message.begin(8n), message.commit(9n, 10n)],
    [message.commit(9n, 10n)],
  ];
  for (const messages of cases) {
    const { reader: it } = reader(0);
    expect(() => messages.forEach((bytes) => it.receive('0/1', bytes))).toThrow(
      'PROTOCOL_VIOLATION',
    );
  }
});

test('a key without a value is refused, by name', () => {
  for (const value of [null, undefined]) {
    const { reader: it } = reader(0);
    it.receive('0/1', message.begin(8n));
    expect(() => it.receive('0/1', message.insert([value]))).toThrow('table=note column=id');
  }
});
