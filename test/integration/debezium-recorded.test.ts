import { afterAll, beforeAll, expect, test } from 'vitest';
import { DebeziumDecoder, type Decoded } from '../../connectors/debezium/decode.ts';
import { EXACT_MODES, type ValueModes } from '../../connectors/debezium/value-modes.ts';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import type { ChangeEvent, RowWritten } from '../../core/change-event.ts';
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

let database: TestDatabase;

beforeAll(async () => {
  database = await freshDatabase();
  await database.query(ORDERS);
});
afterAll(async () => database[Symbol.asyncDispose]());

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

type Image = readonly Cell[];

class Replay {
  /** Columns that a message could not carry; they were read from the database instead. */
  readonly lost = new Set<string>();
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
    return new Replay(db, client, [...tables.values()], events.flatMap(eventOf));
  }

  private constructor(
    db: TestDatabase,
    client: Awaited<ReturnType<typeof openClient>>,
    tables: readonly MirrorTable[],
    events: ChangeEvent[],
  ) {
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
