import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PgoutputDecoder } from '../../connectors/postgres/pgoutput/decode.ts';
import { canHold, formatType } from '../../connectors/postgres/pgoutput/type-names.ts';
import { timestampText } from '../../connectors/postgres/pgoutput/translate.ts';
import { TandemError } from '../../core/errors.ts';
import { message, OID, tableOf, TYPES, tuple, wire } from './pgoutput-wire.ts';

const TABLE = tableOf([
  ['id', 'integer'],
  ['body', 'text'],
]);
const COLUMNS = [{ name: 'secret' }, { name: 'body' }, { name: 'id', oid: 23, inKey: true }];

function decoder(table = TABLE): PgoutputDecoder {
  return new PgoutputDecoder(new Map([['public.note', table]]), TYPES);
}

function described(): PgoutputDecoder {
  const it = decoder();
  it.decode(message.relation(COLUMNS));
  return it;
}

test('columns are put in the order of the mirror, others are left out', () => {
  const it = described();
  expect(it.decode(message.insert(['s', 'text', '1']))).toMatchObject({
    kind: 'insert',
    row: ['1', 'text'],
  });
  expect(it.decode(message.update([null, undefined, '1']))).toMatchObject({
    old: null,
    row: ['1', undefined],
  });
});

test('of a key tuple only the key is read: its other columns are null without having been', () => {
  const it = described();
  const update = message.update(['s', undefined, '2'], { tag: 'K', values: [null, null, '1'] });
  expect(it.decode(update)).toMatchObject({ old: ['1'], row: ['2', undefined] });
  const full = message.update(['s', undefined, '2'], { tag: 'O', values: ['s', 'was', '1'] });
  expect(it.decode(full)).toMatchObject({ old: ['1', 'was'] });
  expect(it.decode(message.remove([null, null, '1']))).toMatchObject({ key: ['1'] });
});

test('a relation that is not mapped is skipped, one that was never described is an error', () => {
  const it = decoder(TABLE);
  it.decode(message.relation(COLUMNS, { name: 'other' }));
  expect(it.decode(message.insert(['s', 'b', '1']))).toEqual({ kind: 'skipped' });
  expect(it.decode(message.truncate(OID))).toEqual({ kind: 'skipped' });
  const stranger = decoder();
  expect(() => stranger.decode(message.insert(['s', 'b', '1']))).toThrow('was not described');
  expect(() => stranger.decode(message.truncate(OID))).toThrow('was not described');
});

test('a value in binary form is refused by its offset', () => {
  const bytes = Buffer.from(message.insert(['s', 'b', '1']));
  bytes[8] = 'b'.charCodeAt(0);
  expect(() => described().decode(bytes)).toThrow('PROTOCOL_VIOLATION what=value of an unknown');
  expect(() => described().decode(bytes)).toThrow('offset=8');
});

test('values survive although the buffer is overwritten', () => {
  const bytes = message.insert(['s', 'a long text that stays what it was', '1']);
  const found = described().decode(bytes);
  bytes.fill(0);
  expect(found).toMatchObject({ row: ['1', 'a long text that stays what it was'] });
});

test('any text comes back as it was, of whatever length and script', () => {
  const it = described();
  const cell = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 12 })));
  fc.assert(
    fc.property(cell, (body) => {
      expect(it.decode(message.insert(['s', body, '1']))).toMatchObject({ row: ['1', body] });
    }),
  );
});

describe('a broken message is a protocol violation, never anything else', () => {
  const intact = [
    message.begin(5n),
    message.commit(5n, 6n),
    message.relation(COLUMNS),
    message.insert(['s', 'text', '1']),
    message.update(['s', 'text', '1'], { tag: 'O', values: ['s', null, '1'] }),
    message.remove([null, null, '1']),
    message.truncate(OID, OID),
    message.type(50_001, 'public', 'mood'),
    message.logical('tandem.heartbeat', '{}'),
  ];

  function decodeOrRefuse(bytes: Buffer): void {
    const it = described();
    try {
      it.decode(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(TandemError);
      const codes = ['PROTOCOL_VIOLATION', 'RELATION_CHANGED'];
      expect(codes).toContain((error as TandemError).code);
      // Names offsets only: the text of the row must not come out.
      expect((error as TandemError).message).not.toContain('text of');
    }
  }

  test.each(intact.map((bytes) => [String.fromCharCode(bytes[0] ?? 0), bytes]))(
    'kind %s, cut anywhere',
    (_, bytes) => {
      for (let length = 0; length < bytes.length; length++) {
        expect(() => described().decode(bytes.subarray(0, length))).toThrow('PROTOCOL_VIOLATION');
      }
    },
  );

  test('any byte changed, or any bytes at all', () => {
    const changed = fc
      .tuple(fc.constantFrom(...intact), fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([bytes, at, value]) => {
        const copy = Buffer.from(bytes);
        copy[at % copy.length] = value;
        return copy;
      });
    const anything = fc
      .tuple(fc.constantFrom(...'BCRIUDTYMO'), fc.uint8Array({ maxLength: 60 }))
      .map(([kind, rest]) => Buffer.concat([Buffer.from(kind), rest]));
    fc.assert(fc.property(fc.oneof(changed, anything), decodeOrRefuse), { numRuns: 3000 });
  });

  test('a length that claims gigabytes', () => {
    const bytes = Buffer.concat([
      Buffer.from('I'),
      wire.int32(OID),
      Buffer.from('N'),
      wire.int16(3),
      Buffer.from('t'),
      wire.int32(0x7fffffff),
    ]);
    expect(() => described().decode(bytes)).toThrow('PROTOCOL_VIOLATION');
    bytes.writeInt32BE(-1, 9);
    expect(() => described().decode(bytes)).toThrow('PROTOCOL_VIOLATION');
    expect(tuple([])).toHaveLength(2);
  });
});

describe('a relation is compared with the mirror', () => {
  const body = (type: object) => [
    { name: 'body', ...type },
    { name: 'id', oid: 23, inKey: true },
  ];
  const describeBody = (type: object, mirror: string, sourceType = mirror) =>
    decoder(
      tableOf([
        ['id', 'integer'],
        ['body', mirror, sourceType],
      ]),
    ).decode(message.relation(body(type)));

  test.each([
    [{ oid: 1043, typmod: 14 }, 'character varying(10)'],
    [{ oid: 1043, typmod: 9 }, 'character varying(10)'],
    [{ oid: 23 }, 'bigint'],
    [{ oid: 1043, typmod: 14 }, 'text'],
  ])('%j fits into %s', (type, mirror) => {
    expect(describeBody(type, mirror)).toMatchObject({ kind: 'relation' });
  });

  test.each([
    [{ oid: 1043, typmod: 24 }, 'character varying(10)'],
    [{ oid: 20 }, 'integer'],
    [{ oid: 25 }, 'integer'],
    [{ oid: 23 }, 'text'],
    [{ oid: 99_999 }, 'text'],
  ])('%j does not fit into %s', (type, mirror) => {
    expect(() => describeBody(type, mirror)).toThrow(
      expect.objectContaining({
        code: 'RELATION_CHANGED',
        details: expect.objectContaining({ table: 'note', column: 'body' }) as object,
      }),
    );
  });

  test('a type that the catalogue has lost is known by its Type message', () => {
    const it = decoder(
      tableOf([
        ['id', 'integer'],
        ['body', 'text', 'public.mood'],
      ]),
    );
    it.decode(message.type(99_999, 'public', 'mood'));
    expect(it.decode(message.relation(body({ oid: 99_999 })))).toMatchObject({ kind: 'relation' });
    // A domain is announced by its base, under its internal name.
    const other = decoder(
      tableOf([
        ['id', 'integer'],
        ['body', 'integer', 'public.posint'],
      ]),
    );
    other.decode(message.type(99_998, '', 'int4'));
    expect(other.decode(message.relation(body({ oid: 99_998 })))).toMatchObject({
      isFirst: true,
    });
  });

  test('with REPLICA IDENTITY FULL all columns are flagged, and that is fine', () => {
    const flagged = COLUMNS.map((column) => ({ ...column, inKey: true }));
    const relation = message.relation(flagged, { identity: 'f' });
    expect(decoder().decode(relation)).toMatchObject({ kind: 'relation' });
    const none = message.relation(COLUMNS, { identity: 'n' });
    expect(() => decoder().decode(none)).toThrow('RELATION_CHANGED');
  });
});

test.each([
  [1043, 14, 'character varying(10)'],
  [1042, 5, 'character(1)'],
  [1700, ((12 << 16) | 4) + 4, 'numeric(12,4)'],
  [1700, ((3 << 16) | (-2 & 0x7ff)) + 4, 'numeric(3,-2)'],
  [1184, 3, 'timestamp(3) with time zone'],
  [1015, 14, 'character varying(10)[]'],
  [1560, 5, 'bit(5)'],
  [1186, 5, null],
])('type %i with modifier %i is called %s', (oid, typmod, name) => {
  expect(formatType(oid, typmod)).toBe(name);
});

test.each([
  ['numeric', 'bigint', true],
  ['numeric', 'numeric(10,2)', true],
  ['numeric(10,2)', 'numeric', false],
  ['numeric(12,4)', 'numeric(10,2)', true],
  ['numeric(12,4)', 'numeric(12,2)', false],
  ['double precision', 'real', true],
  ['timestamp with time zone', 'timestamp(3) with time zone', true],
  ['timestamp(3) with time zone', 'timestamp with time zone', false],
  ['timestamp with time zone', 'timestamp without time zone', false],
  ['bigint[]', 'integer[]', true],
  ['bigint[]', 'integer', false],
  ['text', 'jsonb', false],
  ['character(5)', 'character(3)', false],
])('%s can hold %s: %s', (holder, held, expected) => {
  expect(canHold(holder, held)).toBe(expected);
});

test.each([
  [0, '2000-01-01 00:00:00.000000+00'],
  [789_012_345_678_901, '2025-01-01 02:05:45.678901+00'],
  [-1, '1999-12-31 23:59:59.999999+00'],
])('%i microseconds are %s', (micros, text) => {
  expect(timestampText(micros)).toBe(text);
});
