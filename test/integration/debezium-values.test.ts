import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DebeziumDecoder } from '../../connectors/debezium/decode.ts';
import { DebeziumEncoder } from '../../connectors/debezium/encode.ts';
import { SchemaRegistry } from '../../connectors/debezium/schema-registry.ts';
import { EXACT_MODES } from '../../connectors/debezium/value-modes.ts';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { Decoded, EncodedMessage, RawMessage } from '../../core/log-message.ts';
import type { Cell, MirrorTable } from '../../core/mirror-table.ts';
import type { Lsn } from '../../core/version.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import { EVERY_TYPE, EVERY_TYPE_SETUP } from '../harness/every-type.ts';
import { SmallRegistry } from '../harness/small-registry.ts';

// The server prints every value; what is encoded and decoded again has to be the same text.

const STAMP = {
  version: { commitLsn: 500n as Lsn, changeLsn: 400n as Lsn },
  committedAt: '2025-01-02 03:04:05.678901+00',
} as const;
const CONTEXT = { txId: 7, sentAtMs: 1_735_787_045_999 };
const PREFIX = 'p';

let database: TestDatabase;
let client: pg.Client;
let table: MirrorTable;
let small: SmallRegistry;

beforeAll(async () => {
  database = await freshDatabase();
  await database.query(EVERY_TYPE_SETUP);
  const columns = EVERY_TYPE.map(({ type }, i) => `c${i} ${type}`).join(', ');
  await database.query(`create table every_type (id bigint primary key, ${columns})`);
  client = await openClient(
    { side: 'source', client: { connectionString: database.connectionString } },
    'test',
  );
  const wanted = { key: ['id'], columns: EVERY_TYPE.map((_, i) => `c${i}`) };
  const tables = await mirrorTables(client, new Map([['every_type', wanted]]));
  table = tables.get('every_type') as MirrorTable;
  small = await SmallRegistry.start();
});
afterAll(async () => {
  await small[Symbol.asyncDispose]();
  await client.end();
  await database[Symbol.asyncDispose]();
});

const formats = ['json', 'avro'] as const;

describe.each(formats)('%s', (format) => {
  let encoder: DebeziumEncoder;
  let decoder: DebeziumDecoder;

  beforeAll(async () => {
    const registry = new SchemaRegistry({ url: small.url });
    encoder = new DebeziumEncoder({
      prefix: PREFIX,
      database: 'db',
      registry: format === 'json' ? null : registry,
    });
    await encoder.prepare([table]);
    decoder = new DebeziumDecoder({
      tables: [table],
      prefix: PREFIX,
      modes: EXACT_MODES,
      registry,
      startedAt: 0n as Lsn,
      reread: false,
    });
  });

  async function roundTrip(event: ChangeEvent): Promise<Decoded[]> {
    const messages = encoder.encode(event, CONTEXT).map(asTaken);
    await decoder.prepare(messages);
    return messages.map((message) => decoder.decode(message));
  }

  test.each(EVERY_TYPE.map((sample, i) => ({ ...sample, i })))(
    '$type comes back as the server prints it',
    async ({ i, values }) => {
      for (const cell of [...(await printed(i, values)), null, undefined]) {
        const row = blank(i, cell);
        const event: ChangeEvent = { kind: 'update', table, ...STAMP, row, oldKey: null };
        expect(await roundTrip(event)).toEqual([{ kind: 'change', event }]);
      }
    },
  );

  test.each(EVERY_TYPE.flatMap((sample, i) => (sample.random ? [{ ...sample, i }] : [])))(
    'any $type comes back',
    async ({ i, random = fc.constant('') }) => {
      const values = fc.sample(random, { numRuns: 200, ...SEED });
      for (const cell of await printed(i, values)) {
        const event: ChangeEvent = {
          kind: 'create',
          table,
          ...STAMP,
          row: blank(i, cell),
          oldKey: null,
        };
        const [decoded] = await roundTrip(event);
        expect(decoded).toEqual({ kind: 'change', event });
      }
    },
  );
});

const SEED =
  process.env['TEST_SEED'] === undefined ? {} : { seed: Number(process.env['TEST_SEED']) };

/** The values as the server prints them in a column of that type. */
async function printed(i: number, values: readonly string[]): Promise<string[]> {
  const type = EVERY_TYPE[i]?.type ?? '';
  await database.query('truncate every_type');
  await database.query(
    `insert into every_type (id, c${i})
     select n, value::${type} from unnest($1::text[]) with ordinality as it (value, n)`,
    [values],
  );
  const rows = await textRows(client, `select c${i} from public.every_type order by id`);
  return rows.map(([cell]) => cell ?? '');
}

function blank(i: number, cell: Cell): Cell[] {
  return table.columns.map((_, at) => (at === 0 ? '1' : at === i + 1 ? cell : null));
}

function asTaken({ topic, key, value, headers }: EncodedMessage): RawMessage {
  return { topic, partition: 0, offset: 0n, timestampMs: 0, key, value, headers };
}
