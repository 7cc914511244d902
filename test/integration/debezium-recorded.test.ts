import { parse, stringify } from 'lossless-json';
import { expect, test } from 'vitest';
import { DebeziumDecoder } from '../../connectors/debezium/decode.ts';
import { DebeziumEncoder } from '../../connectors/debezium/encode.ts';
import { NEW_KEY_HEADER, OLD_KEY_HEADER } from '../../connectors/debezium/message.ts';
import { EXACT_MODES, type ValueModes } from '../../connectors/debezium/value-modes.ts';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import type { ChangeEvent, RowWritten } from '../../core/change-event.ts';
import type { Decoded } from '../../core/log-message.ts';
import { keyText, type Cell, type MirrorTable } from '../../core/mirror-table.ts';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import {
  recordedMessages,
  recordedStatements,
  type Statement,
} from '../harness/debezium-samples.ts';

// What Debezium wrote is replayed beside the statements that it came from, in a database of the
// test's own: after each statement, rows as decoded and rows as the server prints them are equal.

const ORDERS = `create type mood as enum ('sad','ok');
  create table orders (id bigint primary key, name text, qty int, price numeric(12,2), anynum numeric,
    ts timestamp, tstz timestamptz, d date, t time, ttz timetz, iv interval, j json, jb jsonb, ia int[],
    ta text[], na numeric[], b bytea, u uuid, ok boolean, f8 double precision, f4 real, m mood, ip inet,
    bt bit(5), mon money, sm smallint, ch char(4), big text, gen int generated always as (qty*2) stored);
  create table full_t (a int, k2 text, v text, big text, primary key (a,k2))`;

/** The connectors' settings, and what each cannot carry of these rows. */
const CONNECTORS: Readonly<Record<string, { modes: Partial<ValueModes>; lost: string }>> = {
  a_noschema_string: { modes: { interval: 'numeric', unknown: false }, lost: 'iv mon na ttz' },
  b_schema_string: { modes: {}, lost: 'iv mon na ttz' },
  c_schema_precise_default: { modes: {}, lost: 'anynum iv mon na price ttz' },
  d_noschema_isostring: { modes: { time: 'isostring', binary: 'hex' }, lost: 'mon na ttz' },
  e_noschema_connect_double: {
    modes: { decimal: 'double', time: 'connect', interval: 'numeric' },
    lost: 'anynum iv mon na price t ts ttz',
  },
};

test.each(Object.keys(CONNECTORS))(
  '%s: every message is the row of its statement',
  async (name) => {
    const { modes = {}, lost } = CONNECTORS[name] ?? { lost: '' };
    await using db = await freshDatabase();
    await db.query(ORDERS);
    const replay = await Replay.start(db, name, { ...EXACT_MODES, ...modes });

    for (const statement of recordedStatements()) {
      await replay.run(statement);
      await replay.compare(statement.label);
    }
    expect([...replay.lost].sort().join(' ')).toBe(lost);
    expect(replay.left()).toBe(0);
  },
);

test.each(['a_noschema_string', 'b_schema_string'])(
  '%s: a tombstone names the row of the delete before it',
  async (name) => {
    await using db = await freshDatabase();
    await db.query(ORDERS);
    const modes = { ...EXACT_MODES, ...CONNECTORS[name]?.modes };
    const { decoder } = await Replay.start(db, name, modes);
    const decoded = recordedMessages(name).map((message) => decoder.decode(message));
    let compared = 0;
    decoded.forEach((it, i) => {
      if (it.kind !== 'tombstone') return;
      const before = decoded[i - 1];
      const { table, key } = it;
      expect(before).toMatchObject({ kind: 'change', event: { kind: 'delete', table, key } });
      compared++;
    });
    expect(compared).toBeGreaterThan(2);
  },
);

test('the relay writes what Debezium wrote', async () => {
  const name = 'a_noschema_string';
  await using db = await freshDatabase();
  await db.query(ORDERS);
  const replay = await Replay.start(db, name, { ...EXACT_MODES, interval: 'numeric' });
  const encoder = new DebeziumEncoder({ prefix: name, database: 'app', registry: null });
  await encoder.prepare(replay.tables);
  const messages = recordedMessages(name).filter(({ topic }) => /(orders|full_t)$/.test(topic));

  let compared = 0;
  for (const recorded of messages) {
    const decoded = replay.decoder.decode(recorded);
    if (decoded.kind !== 'change') continue;
    // A value that the message did not carry is somebody else's to compare.
    const lost = decoded.event.kind === 'update' || decoded.event.kind === 'create';
    const event = lost ? withoutLost(decoded.event) : decoded.event;
    const written = encoder.encode(event, { txId: 1, sentAtMs: 0 });
    const ours = recorded.headers[OLD_KEY_HEADER] === undefined ? written[0] : written[2];
    expect(ours?.topic).toBe(recorded.topic);
    expect(ours?.key?.toString()).toBe(recorded.key?.toString());
    expect(ours?.headers[OLD_KEY_HEADER]).toBe(recorded.headers[OLD_KEY_HEADER]);
    expect(imagesOf(ours?.value)).toEqual(imagesOf(recorded.value));
    if (event.kind === 'delete') expect(written[1]).toMatchObject({ key: ours?.key, value: null });
    if (event.kind === 'update' && event.oldKey !== null) {
      expect(written.map(({ value }) => value === null)).toEqual([false, true, false]);
      const newKey = written.map(({ headers }) => headers[NEW_KEY_HEADER]);
      expect(newKey).toEqual([recorded.key?.toString(), recorded.key?.toString(), undefined]);
    }
    compared++;
  }
  expect(compared).toBeGreaterThan(35);
});

const RARE = `create extension hstore; create extension citext; create type pair as (a int, b text);
  create domain pos as int check (value > 0);
  create table x (id uuid primary key, na numeric[], na5 numeric(8,3)[], tsa timestamp[], da date[],
    ja jsonb[], nested int[][], r int4range, hs hstore, cit citext, comp pair, dom pos, n numeric,
    xm xml, pt point, tv tsvector, vb bit varying(12), oidc oid, nm name, ln lseg, mac macaddr,
    dflt int default 5 not null);
  insert into x (id, n) select ('00000000-0000-0000-0000-00000000000' || n)::uuid,
    case when n = 1 then 1.5 else n end from generate_series(1, 3) as n;
  insert into x values ('00000000-0000-0000-0000-000000000009', '{1.10,2.25}', '{1.5,null}',
    '{2024-01-01 00:00:00.5,infinity}', '{2024-01-01}', '{"{\\"a\\":1}"}', '{{1,2},{3,4}}', '[1,5)',
    'a=>1,b=>NULL', 'CiTeXt', '(1,"x y")', 3, 'Infinity', '<a/>', '(1,2)', 'a b', '10101', 7, 'nm',
    '[(0,0),(1,1)]', '08:00:2b:01:02:03');
  insert into x (id, n, na) values ('00000000-0000-0000-0000-00000000000a', '-Infinity', '{NaN}');
  insert into x (id, n) values ('00000000-0000-0000-0000-00000000000b', 1e-20),
    ('00000000-0000-0000-0000-00000000000c', 12345678901234567890),
    ('00000000-0000-0000-0000-00000000000d', 1.50000)`;

test.each<[string, Partial<ValueModes>, string]>([
  ['g_initial', { unknown: false }, 'comp ln na na5 nested nm tsa vb'],
  ['h_unknown_types', { hstore: 'map' }, 'ln na na5 nested tsa vb'],
])('%s: rare types, and rows of a snapshot', async (name, modes, expectedLost) => {
  await using db = await freshDatabase();
  await db.query(RARE);
  const client = await openClient(
    { side: 'source', client: { connectionString: db.connectionString } },
    'test',
  );
  const names = await textRows(
    client,
    `select attname from pg_attribute where attrelid = 'public.x'::regclass and attnum > 0`,
  );
  const columns = names.map(([column]) => column ?? '');
  const tables = await mirrorTables(client, new Map([['x', { key: ['id'], columns }]]));
  const select = columns.map(ident).join(', ');
  const stored = await textRows(client, `select ${select} from public.x order by id`);
  const fixed = { registry: null, startedAt: 0n as Lsn, reread: true };
  const decoder = new DebeziumDecoder({
    ...{
      tables: [...tables.values()],
      prefix: name,
      modes: { ...EXACT_MODES, ...modes },
      ...fixed,
    },
  });
  const events = recordedMessages(name).flatMap((message) => eventOf(decoder.decode(message)));
  const lost = new Set<string>();
  expect(events.length).toBeGreaterThan(4);
  for (const event of events) {
    if (event.kind !== 'read' && event.kind !== 'create') continue;
    const row = stored.find(([id]) => id === event.row[0]) ?? [];
    for (const [i, cell] of event.row.entries()) {
      if (cell === undefined) lost.add(columns[i] ?? '');
      else expect(cell, columns[i] ?? '').toEqual(row[i]);
    }
    expect(event.mustRead).toBe(true);
  }
  expect([...lost].sort().join(' ')).toBe(expectedLost);
  await client.end();
});

/** What the message did not carry; and `extra`, a column that came later. */
const LOST = ['ttz', 'iv', 'na', 'mon', 'big', 'extra'];

function withoutLost(event: ChangeEvent): ChangeEvent {
  if (event.kind === 'delete' || event.kind === 'truncate') return event;
  const row = event.row.map((cell, i) =>
    LOST.includes(event.table.columns[i]?.name ?? '') && cell === undefined ? null : cell,
  );
  return { ...event, row };
}

/**
 * The images and what orders them, numbers with all their digits; without what was lost. With full
 * replica identity Debezium tells all of the old row, a change of ours knows its key alone.
 */
function imagesOf(value: Buffer | null | undefined): unknown {
  const { op, before, after, source } = parse(value?.toString() ?? '') as Record<string, unknown>;
  const { db, schema, table, ts_us, sequence, lsn } = source as Record<string, unknown>;
  return {
    op,
    before: table === 'orders' ? carried(before) : null,
    after: carried(after),
    db,
    schema,
    table,
    ts_us,
    lsn,
    place: typeof sequence,
  };
}

function carried(image: unknown): unknown {
  if (image === null) return null;
  const fields = Object.entries(image as object).map(([name, value]) => [name, plain(value)]);
  return Object.fromEntries(fields.filter(([name]) => !LOST.includes(name as string)));
}

/** `1.5E300` and `1.5e300` are one number. */
function plain(value: unknown): unknown {
  const text = stringify(value) ?? '';
  return /^-?[\d.]+E/i.test(text) ? Number(text) : text;
}

type Image = readonly Cell[];

class Replay {
  /** Columns that a message could not carry; they were read from the database instead. */
  readonly lost = new Set<string>();
  readonly tables: readonly MirrorTable[];
  readonly decoder: DebeziumDecoder;
  readonly #db: TestDatabase;
  readonly #client: Awaited<ReturnType<typeof openClient>>;
  readonly #rows = new Map<MirrorTable, Map<string, Image>>();
  #events: ChangeEvent[];

  static async start(db: TestDatabase, name: string, modes: ValueModes): Promise<Replay> {
    const client = await openClient(
      { side: 'source', client: { connectionString: db.connectionString } },
      'test',
    );
    const columns = await textRows(
      client,
      `select attname from pg_attribute where attrelid = 'public.orders'::regclass
         and attnum > 0 and attgenerated = ''`,
    );
    const tables = await mirrorTables(
      client,
      new Map([
        ['orders', { key: ['id'], columns: columns.map(([column]) => column ?? '') }],
        ['full_t', { key: ['a', 'k2'], columns: ['v', 'big'] }],
      ]),
    );
    const decoder = new DebeziumDecoder({
      tables: [...tables.values()],
      prefix: name,
      modes,
      registry: null,
      startedAt: 0n as Lsn,
      reread: true,
    });
    const events = recordedMessages(name).map((message) => decoder.decode(message));
    return new Replay(db, client, decoder, [...tables.values()], events.flatMap(eventOf));
  }

  private constructor(
    db: TestDatabase,
    client: Awaited<ReturnType<typeof openClient>>,
    decoder: DebeziumDecoder,
    tables: readonly MirrorTable[],
    events: ChangeEvent[],
  ) {
    this.decoder = decoder;
    this.tables = tables;
    this.#db = db;
    this.#client = client;
    this.#events = events;
    for (const table of tables) this.#rows.set(table, new Map());
  }

  left(): number {
    return this.#events.length;
  }

  /** Runs the statement, and applies the events of its part of the log. */
  async run({ label, sql, before, after }: Statement): Promise<void> {
    if (sql === undefined) {
      expect(label).toContain('interleaved');
      await this.#db.query(`insert into orders (id, name) values
        (301, 'B: begins later, commits first'), (300, 'A: first change, last commit'),
        (302, 'A: second')`);
    } else {
      await this.#db.query(sql);
    }
    const from = before === undefined ? 0n : parseLsn(before);
    const to = after === undefined ? this.#nextStatement() : parseLsn(after);
    const isOf = ({ version }: ChangeEvent) => version.changeLsn >= from && version.changeLsn < to;
    const events = this.#events.filter(isOf);
    this.#events = this.#events.filter((event) => !isOf(event));
    for (const event of events) await this.#apply(event);
  }

  #nextStatement(): bigint {
    const next = recordedStatements().find(({ label }) => label === 'rolled back transaction');
    return parseLsn(next?.before ?? '');
  }

  async #apply(event: ChangeEvent): Promise<void> {
    const rows = this.#rows.get(event.table) as Map<string, Image>;
    if (event.kind === 'truncate') rows.clear();
    else if (event.kind === 'delete') rows.delete(keyText(event.table, event.key));
    else rows.set(keyText(event.table, event.row), await this.#complete(event, rows));
  }

  async #complete(event: RowWritten, rows: Map<string, Image>): Promise<Image> {
    const { table, row, oldKey, mustRead = false } = event;
    const old = rows.get(keyText(table, oldKey ?? row));
    const stored = mustRead ? await this.#stored(table, row) : null;
    return row.map((cell, i) => {
      if (cell !== undefined) return cell;
      if (stored === null) return old?.[i];
      // A large value that was left alone says so in the message's own words, not by a lost value.
      if (table.columns[i]?.name !== 'big') this.lost.add(table.columns[i]?.name ?? '');
      return stored[i];
    });
  }

  async #stored(table: MirrorTable, row: Image): Promise<Image> {
    const rows = await this.#read(table);
    // A later change of the same statement may have deleted it.
    return rows.get(keyText(table, row)) ?? [];
  }

  async compare(label: string): Promise<void> {
    for (const [table, rows] of this.#rows) {
      expect(sorted(rows), `${label}: ${table.name}`).toEqual(sorted(await this.#read(table)));
    }
  }

  async #read(table: MirrorTable): Promise<Map<string, Image>> {
    const columns = table.columns.map(({ name }) => ident(name)).join(', ');
    const rows = await textRows(this.#client, `select ${columns} from public.${table.relation}`);
    return new Map(rows.map((row) => [keyText(table, row), row]));
  }
}

function sorted(rows: ReadonlyMap<string, Image>): [string, Image][] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
}

function eventOf(decoded: Decoded): ChangeEvent[] {
  expect(decoded.kind).not.toBe('unreadable');
  return decoded.kind === 'change' ? [decoded.event] : [];
}
