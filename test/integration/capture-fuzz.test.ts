import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchQueue } from '../../connectors/postgres/batch-queue.ts';
import { openClient } from '../../connectors/postgres/connection.ts';
import { PgoutputDecoder } from '../../connectors/postgres/pgoutput/decode.ts';
import {
  readSourceTypes,
  type SourceTypes,
} from '../../connectors/postgres/pgoutput/source-types.ts';
import { TransactionReader } from '../../connectors/postgres/transaction-reader.ts';
import { TandemError } from '../../core/errors.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { Lsn } from '../../core/version.ts';
import { freshDatabase } from '../harness/database.ts';
import { SAMPLE_VALUES } from '../harness/sample-values.ts';
import { LEGACY_SCHEMA } from '../harness/small-schema.ts';
import { Capture } from './capture-harness.ts';

type Recorded = { readonly lsn: string; readonly bytes: Buffer };
type Recording = {
  readonly messages: readonly Recorded[];
  readonly tables: readonly MirrorTable[];
  readonly types: SourceTypes;
};

/** What a server sends for every kind of message, with values of every type. */
async function record(): Promise<Recording> {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(LEGACY_SCHEMA);
  await db.query('alter table office replica identity full');
  const columns = Object.keys(SAMPLE_VALUES);
  const capture = await Capture.setUp(
    db,
    {
      sample: { key: ['id'], columns },
      office: { key: ['id'], columns: ['name', 'parent_id'] },
      office_user: { key: ['office_id', 'user_id'], columns: ['label'] },
    },
    'tandem',
  );
  for (const [i, name] of columns.entries()) {
    const [value] = SAMPLE_VALUES[name] ?? [];
    await db.query(`insert into sample (id, "${name}") values ($1, $2)`, [i, value]);
  }
  await db.query(`update sample set id = id + 1000 where id < 6; update sample set flag = true;
    delete from sample where id > 10;
    insert into office values (1, 'a', null), (2, 'b', 1); update office set parent_id = 2;
    delete from office; insert into office_user values (1, 2, 'x'); truncate office_user;
    select pg_logical_emit_message(false, 'other', 'text'), pg_logical_emit_message(true, 'o', 't')`);
  const rows = await db.query(
    `select lsn::text, data from pg_logical_slot_peek_binary_changes($1, null, null,
       'proto_version', '1', 'publication_names', 'tandem', 'messages', 'true')`,
    [capture.slot],
  );
  const tables = [...capture.tables.values()];
  const client = await openClient(capture.database, 'test');
  const types = await readSourceTypes(client, tables);
  await client.end();
  const messages = rows.map((row) => ({ lsn: String(row['lsn']), bytes: row['data'] as Buffer }));
  return { messages, tables, types };
}

/** Reads messages to the end or to the first refusal; returns what came out of the queue. */
function readAll({ tables, types }: Recording, messages: readonly Recorded[]) {
  const byName = new Map(tables.map((table) => [`${table.schema}.${table.relation}`, table]));
  const queue = new BatchQueue(0n as Lsn);
  const reader = new TransactionReader({
    decoder: new PgoutputDecoder(byName, types),
    queue,
    after: 0n as Lsn,
    onRelation: () => undefined,
  });
  let refusal: unknown = null;
  try {
    for (const { lsn, bytes } of messages) reader.receive(lsn, Buffer.from(bytes));
  } catch (error) {
    refusal = error;
  }
  const events = [];
  for (;;) {
    const batch = queue.take({ maxBytes: 1e9, maxEvents: 1e6 });
    if (batch === null) return { events, refusal };
    events.push(...batch.events);
  }
}

type Mutation = { readonly kind: number; readonly at: number; readonly other: number };

/** One message changed: a byte, a piece taken out, put in or doubled, a length made huge. */
function mutate(bytes: Buffer, { kind, at, other }: Mutation): Buffer {
  const place = at % (bytes.length + 1);
  const end = Math.min(bytes.length, place + 1 + (other % 8));
  const before = bytes.subarray(0, place);
  switch (kind % 5) {
    case 0:
      return Buffer.concat([before, Buffer.from([other & 255]), bytes.subarray(place + 1)]);
    case 1:
      return Buffer.concat([before, bytes.subarray(end)]);
    case 2:
      return Buffer.concat([
        before,
        Buffer.alloc(1 + (other % 5), other & 255),
        bytes.subarray(place),
      ]);
    case 3:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(place)]);
    default:
      return Buffer.concat([before, Buffer.from('7fffffff', 'hex'), bytes.subarray(place + 4)]);
  }
}

test('a recorded stream, changed anywhere, gives events or is refused; never anything else', async () => {
  const recording = await record();
  const intact = readAll(recording, recording.messages);
  expect(intact.refusal).toBeNull();
  expect(new Set(recording.messages.map(({ bytes }) => bytes.toString('latin1', 0, 1)))).toEqual(
    new Set([...'BCDIMRTUY']),
  );
  const kinds = new Set(intact.events.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(['create', 'delete', 'truncate', 'update']);

  const number = fc.nat({ max: 1_000_000 });
  const mutation = fc.record({ kind: number, at: number, other: number });
  const change = fc.record({
    message: number,
    how: fc.constantFrom('mutate', 'drop', 'double', 'swap'),
    mutations: fc.array(mutation, { minLength: 1, maxLength: 4 }),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const messages = [...recording.messages];
      for (const { message, how, mutations } of changes) {
        const at = message % messages.length;
        const one = messages[at];
        if (one === undefined) continue;
        if (how === 'drop') messages.splice(at, 1);
        else if (how === 'double') messages.splice(at, 0, one);
        else if (how === 'swap') messages.splice(at, 2, ...messages.slice(at, at + 2).reverse());
        else messages[at] = { lsn: one.lsn, bytes: mutations.reduce(mutate, one.bytes) };
      }
      const { events, refusal } = readAll(recording, messages);
      if (refusal !== null) {
        expect(refusal).toBeInstanceOf(TandemError);
        expect(['PROTOCOL_VIOLATION', 'RELATION_CHANGED']).toContain((refusal as TandemError).code);
      }
      for (const event of events) {
        if (event.kind === 'truncate') continue;
        const { columns, keyLength } = event.table;
        const image = event.kind === 'delete' ? event.key : event.row;
        expect(image).toHaveLength(event.kind === 'delete' ? keyLength : columns.length);
        // A row without its key could be written nowhere.
        for (const cell of image.slice(0, keyLength)) expect(typeof cell).toBe('string');
      }
    }),
    { numRuns: 600 },
  );
});
