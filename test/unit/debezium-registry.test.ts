import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DebeziumDecoder } from '../../connectors/debezium/decode.ts';
import { SchemaRegistry } from '../../connectors/debezium/schema-registry.ts';
import { EXACT_MODES } from '../../connectors/debezium/value-modes.ts';
import type { RawMessage } from '../../core/log-message.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { Lsn } from '../../core/version.ts';
import { recordedAvro } from '../harness/debezium-samples.ts';
import { SmallRegistry } from '../harness/small-registry.ts';

const TABLE: MirrorTable = {
  ...{ name: 't', schema: 'public', relation: 't', keyLength: 1 },
  columns: (
    [
      ['id', 'bigint'],
      ['name', 'text'],
      ['price', 'numeric(12,2)'],
      ['ts', 'timestamp with time zone'],
      ['jb', 'jsonb'],
      ['extra', 'integer'],
    ] as const
  ).map(([name, type], i) => ({ name, type, sourceType: type, inKey: i === 0 })),
};

let small: SmallRegistry;
beforeAll(async () => {
  small = await SmallRegistry.start();
});
beforeEach(() => {
  small.answer = null;
  small.requests.length = 0;
});
afterAll(async () => small[Symbol.asyncDispose]());

function decoderWith(registry: SchemaRegistry | null): DebeziumDecoder {
  const fixed = { prefix: 'avro', modes: EXACT_MODES, startedAt: 0n as Lsn, reread: true };
  return new DebeziumDecoder({ tables: [TABLE], registry, ...fixed });
}

test('recorded messages in Avro are the rows of their statements', async () => {
  const { messages, schemas } = recordedAvro();
  for (const [id, schema] of Object.entries(schemas)) small.add(Number(id), schema);
  const decoder = decoderWith(new SchemaRegistry({ url: small.url }));
  await decoder.prepare(messages);
  const row = ['9007199254740993', 'é', '1.50', '2024-01-01 00:00:00+00', '{"a": 1}'];
  const decoded = messages.map((message) => decoder.decode(message));
  expect(decoded).toMatchObject([
    {
      kind: 'change',
      event: {
        kind: 'create',
        row: [...row, undefined],
        // The column came later: the schema of this message does not have it.
        mustRead: true,
        version: { commitLsn: 28861416n, changeLsn: 28861416n },
      },
    },
    { kind: 'change', event: { kind: 'update', row: [row[0], 'x', ...row.slice(2), undefined] } },
    { kind: 'change', event: { kind: 'delete', key: ['9007199254740993'] } },
    { kind: 'tombstone', key: ['9007199254740993'] },
    {
      kind: 'change',
      event: { kind: 'create', row: ['2', 'after add column', null, null, null, '5'] },
    },
  ]);
  const wanted = ['GET /schemas/ids/2', 'GET /schemas/ids/1', 'GET /schemas/ids/3'];
  expect(small.requests).toEqual(wanted);
});

test('a key in Avro without a registry stops nothing: such a tombstone is unreadable', async () => {
  const { messages } = recordedAvro();
  const tombstone = messages.filter(({ value }) => value === null);
  const decoder = decoderWith(null);
  await decoder.prepare(tombstone);
  expect(tombstone.map((message) => decoder.decode(message))).toEqual([
    {
      kind: 'unreadable',
      code: 'MESSAGE_UNREADABLE',
      message: 'table t: expected a key in JSON, or in Avro with a schema registry, found bytes',
    },
  ]);
});

test('bytes that end early, or go on, are unreadable', async () => {
  const { messages, schemas } = recordedAvro();
  small.add(2, schemas['2']);
  const decoder = decoderWith(new SchemaRegistry({ url: small.url }));
  const [first] = messages;
  const value = first?.value ?? Buffer.alloc(0);
  const damaged = [value.subarray(0, -3), Buffer.concat([value, Buffer.from([0])])];
  for (const bytes of damaged) {
    const message = { ...(first as RawMessage), value: bytes };
    await decoder.prepare([message]);
    expect(decoder.decode(message)).toEqual({
      kind: 'unreadable',
      code: 'MESSAGE_UNREADABLE',
      message: 'table t: expected Avro of its schema, found bytes',
    });
  }
});

const avro = (id: number): RawMessage => ({
  ...{ topic: 'avro.public.t', partition: 0, offset: 1n, timestampMs: 0, key: null, headers: {} },
  value: Buffer.from([0, 0, 0, 0, id, 1, 2, 3]),
});

test('a schema that the registry does not have makes the message unreadable, not the stream', async () => {
  const decoder = decoderWith(new SchemaRegistry({ url: small.url }));
  await decoder.prepare([avro(99)]);
  expect(decoder.decode(avro(99))).toEqual({
    kind: 'unreadable',
    code: 'MESSAGE_UNREADABLE',
    message: 'table t: schema 99 is not in the schema registry',
  });
  await decoder.prepare([avro(99)]);
  expect(small.requests).toHaveLength(1); // it is not asked again at once
});

test('a schema of something else is no envelope', async () => {
  small.add(50, { type: 'record', name: 'Other', fields: [{ name: 'id', type: 'long' }] });
  const decoder = decoderWith(new SchemaRegistry({ url: small.url }));
  await decoder.prepare([avro(50)]);
  expect(decoder.decode(avro(50))).toMatchObject({ kind: 'unreadable' });
});

test('messages in Avro without a registry stop with the setting that is missing', async () => {
  await expect(decoderWith(null).prepare([avro(2)])).rejects.toThrow(
    /CONFIG_INVALID.*SCHEMA_REGISTRY_URL/,
  );
});

test('requests for one schema are one request, with what the registry wants to know', async () => {
  small.add(7, { type: 'string' });
  const registry = new SchemaRegistry({
    url: `${small.url}/`,
    login: { user: 'x', password: 'y' },
  });
  await Promise.all([registry.fetch(7), registry.fetch(7), registry.fetch(7)]);
  expect(small.requests).toEqual(['GET /schemas/ids/7']);
  expect(small.authorizations.at(-1)).toBe('Basic eDp5');
  expect(registry.known(7)).toEqual({ type: 'string' });
});

test.each<[number, string, string]>([
  [500, '', 'REGISTRY_UNREACHABLE'],
  [503, '{"error_code":50002}', 'REGISTRY_UNREACHABLE'],
  [429, '', 'REGISTRY_UNREACHABLE'],
  [401, '{"error_code":40101}', 'REGISTRY_REFUSED'],
  [404, '<html>not here</html>', 'REGISTRY_REFUSED'],
  [200, '<html>welcome</html>', 'REGISTRY_REFUSED'],
  [200, '{}', 'REGISTRY_REFUSED'],
  [200, '{"schema":"syntax","schemaType":"PROTOBUF"}', 'REGISTRY_REFUSED'],
])('an answer %i %s is %s', async (status, body, code) => {
  small.answer = (response) => {
    response.statusCode = status;
    response.end(body);
  };
  const registry = new SchemaRegistry({ url: small.url });
  await expect(registry.fetch(1)).rejects.toMatchObject({ code });
  await expect(registry.register('s', { type: 'int' })).rejects.toMatchObject({ code });
});

test('a registry that is away, or does not answer, is waited for', async () => {
  small.answer = () => undefined;
  const slow = new SchemaRegistry({ url: small.url, timeoutMs: 100 });
  await expect(slow.fetch(1)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
  const away = new SchemaRegistry({ url: 'http://127.0.0.1:1' });
  await expect(away.fetch(1)).rejects.toThrow('REGISTRY_UNREACHABLE');
  // And asked again the next time.
  small.answer = null;
  small.add(1, { type: 'int' });
  await slow.fetch(1);
  expect(slow.known(1)).toEqual({ type: 'int' });
});
