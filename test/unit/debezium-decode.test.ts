import { expect, test } from 'vitest';
import { DebeziumDecoder, type DecoderOptions } from '../../connectors/debezium/decode.ts';
import { OLD_KEY_HEADER } from '../../connectors/debezium/message.ts';
import { EXACT_MODES, lossyModes } from '../../connectors/debezium/value-modes.ts';
import type { RawMessage } from '../../core/log-message.ts';
import type { MirrorColumn, MirrorTable } from '../../core/mirror-table.ts';
import type { Lsn } from '../../core/version.ts';

const column = (name: string, type: string, inKey = false): MirrorColumn => ({
  ...{ name, type, sourceType: type, inKey },
});
const NOTE: MirrorTable = {
  ...{ name: 'note', schema: 'public', relation: 'note', keyLength: 1 },
  columns: [column('id', 'bigint', true), column('body', 'text'), column('jaw', 'integer')],
};
const PAIR: MirrorTable = {
  ...{ name: 'app.pair', schema: 'app', relation: 'pair', keyLength: 2 },
  columns: [column('code', 'text', true), column('ref', 'uuid', true), column('n', 'integer')],
};
const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';

function decoderWith(options: Partial<DecoderOptions> = {}): DebeziumDecoder {
  return new DebeziumDecoder({
    tables: [NOTE, PAIR],
    prefix: 'p',
    modes: EXACT_MODES,
    registry: null,
    startedAt: 1000n as Lsn,
    reread: true,
    ...options,
  });
}

const SOURCE = { sequence: '["2000","1990"]', ts_us: 1_735_787_045_678_901 };

function message(value: object | string | null, more: Partial<RawMessage> = {}): RawMessage {
  const text = typeof value === 'string' || value === null ? value : JSON.stringify(value);
  return {
    ...{ topic: 'p.public.note', partition: 0, offset: 5n, timestampMs: 0, key: null, headers: {} },
    value: text === null ? null : Buffer.from(text),
    ...more,
  };
}

const written = (op: string, after: object, more: object = {}) =>
  message({ before: null, after, source: SOURCE, op, ...more });

test('a create, an update and a delete become changes, with version and commit time', () => {
  const stamp = {
    table: NOTE,
    version: { commitLsn: 2000n, changeLsn: 1990n },
    committedAt: '2025-01-02 03:04:05.678901+00',
  };
  const decoder = decoderWith();
  const row = ['7', 'a', '-1'];
  const after = { id: 7, body: 'a', jaw: -1 };
  expect(decoder.decode(written('c', after))).toEqual({
    kind: 'change',
    event: { kind: 'create', ...stamp, row, oldKey: null },
  });
  expect(decoder.decode(written('u', after))).toEqual({
    kind: 'change',
    event: { kind: 'update', ...stamp, row, oldKey: null },
  });
  const before = { id: 7, body: null, jaw: null };
  expect(decoder.decode(message({ before, after: null, source: SOURCE, op: 'd' }))).toEqual({
    kind: 'change',
    event: { kind: 'delete', ...stamp, key: ['7'] },
  });
});

test('null, an unchanged large value and a column that is not in the message are told apart', () => {
  const event = eventOf(decoderWith(), written('u', { id: 1, body: null, jaw: 1 }));
  expect(event).toMatchObject({ row: ['1', null, '1'] });
  expect(event).not.toHaveProperty('mustRead');
  const body = '__debezium_unavailable_value';
  const unchanged = eventOf(decoderWith(), written('u', { id: 1, body, jaw: 1 }));
  expect(unchanged).toMatchObject({ row: ['1', undefined, '1'] });
  expect(unchanged).not.toHaveProperty('mustRead');
  // The column came later than the message: the row has to be read.
  expect(eventOf(decoderWith(), written('u', { id: 1, body: 'a' }))).toMatchObject({
    row: ['1', 'a', undefined],
    mustRead: true,
  });
});

test('without leave to read the source, a column that is missing is named', () => {
  expect(decoderWith({ reread: false }).decode(written('c', { id: 1, body: 'a' }))).toEqual({
    kind: 'unreadable',
    code: 'VALUE_NOT_CARRIED',
    message: 'table note: column jaw: the message does not carry its value',
  });
});

test('an integer beyond 2^53 keeps its digits, in the key of a delete too', () => {
  const decoder = decoderWith();
  const source = JSON.stringify(SOURCE);
  const row = '{"id":9007199254740993,"body":"a","jaw":1}';
  const created = message(`{"after":${row},"source":${source},"op":"c"}`);
  expect(eventOf(decoder, created)).toMatchObject({ row: ['9007199254740993', 'a', '1'] });
  const deleted = message(`{"before":${row},"source":${source},"op":"d"}`);
  expect(eventOf(decoder, deleted)).toMatchObject({ key: ['9007199254740993'] });
});

test('the first transaction of a connector stands where the slot began, or at its own place', () => {
  const early = written('c', { id: 1, body: '', jaw: 1 }, { source: { sequence: '[null,"900"]' } });
  expect(eventOf(decoderWith(), early)).toMatchObject({
    version: { commitLsn: 1000n, changeLsn: 900n },
    committedAt: null,
  });
  const late = written('c', { id: 1, body: '', jaw: 1 }, { source: { sequence: '[null,"1100"]' } });
  expect(eventOf(decoderWith(), late)).toMatchObject({
    version: { commitLsn: 1100n, changeLsn: 1100n },
  });
});

test("a row of Debezium's own snapshot is older than any change behind its place", () => {
  const row = { id: 1, body: 'a', jaw: 1 };
  const first = written('r', row, { source: { sequence: '[null,"1990"]' } });
  expect(eventOf(decoderWith(), first)).toMatchObject({
    kind: 'read',
    version: { commitLsn: 1990n, changeLsn: 0n },
    committedAt: null,
  });
  expect(decoderWith().snapshotAt(first)).toBe(1990n);
});

test('a row that was read between changes is as old as the last commit before it', () => {
  const row = { id: 1, body: 'a', jaw: 1 };
  const read = written('r', row, { source: { sequence: '["1980","1990"]' } });
  expect(eventOf(decoderWith(), read)).toMatchObject({
    kind: 'read',
    version: { commitLsn: 1980n, changeLsn: 0n },
  });
  expect(decoderWith().snapshotAt(read)).toBeNull();
  expect(decoderWith().snapshotAt(written('c', row))).toBeNull();
  expect(decoderWith().snapshotAt({ ...read, value: null })).toBeNull();
});

test('a key of several columns, and the key before a key change', () => {
  const after = { code: 'ü"\\\n', ref: UUID, n: 1 };
  const topic = 'p.app.pair';
  const oldKey = JSON.stringify({ code: 'a"b', ref: UUID });
  const created = { ...written('c', after), topic };
  const changed = { ...created, headers: { [OLD_KEY_HEADER]: Buffer.from(oldKey) } };
  expect(eventOf(decoderWith(), created)).toMatchObject({ kind: 'create', oldKey: null });
  expect(eventOf(decoderWith(), changed)).toMatchObject({
    kind: 'update',
    oldKey: ['a"b', UUID],
    row: ['ü"\\\n', UUID, '1'],
  });
  // A header that another converter wrote: the delete of the old key comes by itself.
  const foreign = { ...created, headers: { [OLD_KEY_HEADER]: 'Struct{code=a}' } };
  expect(eventOf(decoderWith(), foreign)).toMatchObject({ kind: 'create', oldKey: null });
});

test('a truncate concerns the table; tombstones and other topics nobody', () => {
  const decoder = decoderWith();
  const truncate = message({ before: null, after: null, source: SOURCE, op: 't' });
  expect(eventOf(decoder, truncate)).toMatchObject({ kind: 'truncate', table: NOTE });
  for (const other of [
    message(null),
    message({ status: 'BEGIN', id: '1:2' }, { topic: 'p.transaction' }),
    message({ ts_ms: 1 }, { topic: '__debezium-heartbeat.p' }),
    message('not ours', { topic: 'p.public.other' }),
  ]) {
    expect(decoder.decode(other)).toEqual({ kind: 'nothing' });
  }
});

test('our heartbeats are recognised among the logical messages', () => {
  const logical = (prefix: string, content: string) =>
    message(
      { op: 'm', source: SOURCE, message: { prefix, content: btoa(content) } },
      { topic: 'p.message' },
    );
  const decoder = decoderWith();
  expect(decoder.decode(logical('tandem.heartbeat', '{"at":"1735787045678"}'))).toEqual({
    kind: 'heartbeat',
    sentAtMs: 1_735_787_045_678,
  });
  expect(decoder.decode(logical('tandem.mark', ''))).toEqual({ kind: 'nothing' });
  expect(decoder.decode(logical('other', 'x'))).toEqual({ kind: 'nothing' });
  expect(decoder.decode(message('{"op":"m"}', { topic: 'p.message' }))).toMatchObject({
    kind: 'unreadable',
  });
});

const SECRET = 'Muster';
test.each<[string, RawMessage, string]>([
  ['cut off', message(`{"after":{"id":1,"body":"${SECRET}`), 'expected JSON'],
  ['text', message(SECRET), 'expected JSON or Avro'],
  ['empty', message(''), 'expected JSON or Avro'],
  ['no object', message('{"schema":{},"payload":"Muster"}'), 'a JSON object'],
  ['no UTF-8', { ...message(null), value: Buffer.from('{"a":"\xff"}', 'latin1') }, 'UTF-8'],
  ['no envelope', message({ id: 1, body: SECRET }), 'source with a position'],
  ['no operation', message({ after: { id: 1 }, source: SOURCE }), "Debezium's envelope"],
  ['no row', message({ after: null, source: SOURCE, op: 'u' }), 'expected after, found null'],
  ['no key to delete', message({ before: null, source: SOURCE, op: 'd' }), 'expected before'],
  ['no position', written('c', { id: 1 }, { source: { sequence: SECRET } }), 'source.sequence'],
  ['half a position', written('c', { id: 1 }, { source: { sequence: '["1"]' } }), 'sequence'],
  ['a text for a number', written('c', { id: 1, jaw: SECRET }), 'column jaw: expected an integer'],
  ['a fraction', written('c', { id: 1.5 }), 'column id: expected an integer'],
  ['a number for text', written('c', { id: 1, body: 5 }), 'column body: expected text'],
  ['a null key', written('c', { id: null, body: SECRET }), 'key column id: null'],
  ['no key', written('c', { body: SECRET }), 'key column id: the message does not carry'],
  [
    'a broken header',
    { ...written('c', { id: 1, body: '', jaw: 1 }), headers: { 'tandem.exact': '{"body":7}' } },
    'header tandem.exact, column body',
  ],
])('%s: unreadable, and nothing of the values is said', (_, raw, expected) => {
  const decoded = decoderWith().decode(raw);
  expect(decoded).toMatchObject({ kind: 'unreadable' });
  const text = decoded.kind === 'unreadable' ? decoded.message : '';
  expect(text).toMatch(/^table note: /);
  expect(text).toContain(expected);
  expect(text).not.toContain(SECRET);
});

const LISTS: MirrorTable = {
  ...{ name: 'lists', schema: 'public', relation: 'lists', keyLength: 1 },
  columns: [
    ...[column('id', 'bigint', true), column('days', 'date[]'), column('texts', 'text[]')],
    ...[column('exact', 'numeric[]'), column('grid', 'integer[]')],
  ],
};

test.each<[string, object, object]>([
  ['days of our time', { days: [19_782, null] }, { days: '{2024-02-29,NULL}' }],
  // What Debezium 3.7 makes of infinity in an array: a day of the year 1,705,491.
  ['infinity among days', { days: [622_191_232] }, { days: undefined }],
  ['days before the reform', { days: [-160_000] }, { days: undefined }],
  ['several dimensions of numbers', { grid: [null, null] }, { grid: undefined }],
  ['several dimensions of texts', { texts: ['[Ljava.lang.String;@1f2e'] }, { texts: undefined }],
  ['a large list that was left alone', { texts: ['__debezium_unavailable_value'] }, {}],
  ['null, which may be NaN', { exact: null }, { exact: undefined }],
  ['null, which is null', { texts: null }, { texts: null }],
])('%s in an array: what is not carried is read again', (what, given, expected) => {
  const usual = { days: [], texts: [], exact: ['1.0'], grid: [] };
  const raw = { ...written('u', { id: 1, ...usual, ...given }), topic: 'p.public.lists' };
  const event = eventOf(decoderWith({ tables: [LISTS] }), raw);
  const cells = event !== null && 'row' in event ? event.row.slice(1) : [];
  const row = { days: '{}', texts: '{}', exact: '{1.0}', grid: '{}', ...expected };
  if (what.includes('left alone')) Object.assign(row, { texts: undefined });
  expect(cells).toEqual(Object.values(row));
  const isLost = Object.values(expected).includes(undefined);
  expect(event).toMatchObject(isLost ? { mustRead: true } : {});
  if (!isLost) expect(event).not.toHaveProperty('mustRead');
});

test('the settings that lose values are named, with what is right', () => {
  expect(lossyModes(EXACT_MODES)).toEqual([]);
  const lossy = {
    decimal: 'double',
    time: 'connect',
    interval: 'numeric',
    unknown: false,
  } as const;
  const settings = lossyModes({ ...EXACT_MODES, ...lossy }).map(({ setting }) => setting);
  expect(settings).toEqual([
    ...['decimal.handling.mode', 'time.precision.mode', 'interval.handling.mode'],
    'include.unknown.datatypes',
  ]);
});

test('a topic of two tables is refused', () => {
  const other = { ...NOTE, name: 'pub lic', relation: 'no te' };
  const twin = { ...NOTE, name: 'no_te', relation: 'no_te' };
  expect(() => decoderWith({ tables: [other, twin] })).toThrow(/TOPIC_NAME.*p\.public\.no_te/);
});

function eventOf(decoder: DebeziumDecoder, raw: RawMessage) {
  const decoded = decoder.decode(raw);
  expect(decoded.kind).toBe('change');
  return decoded.kind === 'change' ? decoded.event : null;
}
