import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { runOneHeartbeat } from '../../cli/one-heartbeat.ts';
import { openClient } from '../../connectors/postgres/connection.ts';
import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import { buildModel, type Model } from '../../consumers/model.ts';
import { readTargetTables } from '../../consumers/target-tables.ts';
import { readUsages } from '../../core/usage.ts';
import { walEnd } from '../../connectors/postgres/wal-position.ts';
import { formatLsn } from '../../core/version.ts';
import { hasCaughtUp, wantedOf } from '../../monitoring/lag.ts';
import { databaseOf, type LegacyRow } from './apply-bench.ts';
import { freshDatabase, type Row, type TestDatabase } from './database.ts';
import { expectedFrom, foundIn, mirrorOf, plainState, type LegacyState } from './small-expected.ts';
import { SMALL_MAPPING } from './small-mapping.ts';
import { LEGACY_SCHEMA, TARGET_SCHEMA } from './small-schema.ts';
import { fillSmall } from './small-traffic.ts';
import { TandemProcess, type Settings } from './tandem-process.ts';
import { waitFor } from './wait-for.ts';

const MAPPING = fileURLToPath(new URL('./small-mapping-file.ts', import.meta.url));

/** Every change of a status, as the source saw it: what the journal has to hold. */
const STATUS_LOG = `
  create table status_log (order_id int, from_status int, to_status int);
  create function log_status() returns trigger language plpgsql as $$ begin
    if new.id = old.id and new.status <> old.status then
      insert into status_log values (new.id, old.status, new.status);
    end if;
    return null;
  end $$;
  create trigger log_status after update on instruction for each row execute function log_status();`;

type WorldOptions = {
  readonly seed: number;
  /** Databases of the caller, who also drops them; otherwise new ones on the shared servers. */
  readonly source?: TestDatabase;
  readonly target?: TestDatabase;
};

/** The small legacy database with its rows, a target for it, and real `tandem` processes between. */
export class SmallWorld implements AsyncDisposable {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly settings: Settings;
  readonly seed: number;
  /** What the functions of `small-expected.ts` need. */
  readonly model: Model;
  readonly #owned: readonly TestDatabase[];

  private constructor(
    databases: { readonly source: TestDatabase; readonly target: TestDatabase },
    facts: {
      readonly seed: number;
      readonly model: Model;
      readonly owned: readonly TestDatabase[];
      readonly slot: string;
    },
  ) {
    this.source = databases.source;
    this.target = databases.target;
    this.seed = facts.seed;
    this.model = facts.model;
    this.#owned = facts.owned;
    this.settings = {
      SOURCE_URL: this.source.connectionString,
      TARGET_URL: this.target.connectionString,
      TANDEM_SLOT: facts.slot,
      TANDEM_PUBLICATION: facts.slot,
      MAPPING,
      HEARTBEAT_SECONDS: '1',
      CHUNK_ROWS: '100',
    };
  }

  static async open({ seed, ...given }: WorldOptions): Promise<SmallWorld> {
    const source = given.source ?? (await freshDatabase({ on: 'source' }));
    const target = given.target ?? (await freshDatabase({ on: 'target' }));
    await source.query(LEGACY_SCHEMA);
    await source.query(STATUS_LOG);
    await target.query(TARGET_SCHEMA);
    await fillSmall(source, seed);
    const owned = [source, target].filter((it) => it !== given.source && it !== given.target);
    return new SmallWorld(
      { source, target },
      { seed, model: await readModel(source, target), owned, slot: source.name },
    );
  }

  /** Another target for the same source, with a slot and a publication of its own. */
  static async beside({ source, seed }: SmallWorld): Promise<SmallWorld> {
    const target = await freshDatabase({ on: 'target' });
    await target.query(TARGET_SCHEMA);
    const model = await readModel(source, target);
    return new SmallWorld({ source, target }, { seed, model, owned: [target], slot: target.name });
  }

  query(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.target.query(sql, params);
  }

  /** `tandem run`, with other settings where given. */
  run(settings: Settings = {}): TandemProcess {
    return new TandemProcess(['run'], { ...this.settings, ...settings });
  }

  /** Waits until all that the source has committed by now is in the target. */
  async caughtUp(child: TandemProcess, timeoutMs = 60_000): Promise<void> {
    const source = await this.source.client();
    const target = await this.target.client();
    let end: number | null | undefined;
    void child.exited.then((code) => (end = code));
    try {
      const asked = formatLsn(await walEnd(source));
      await runOneHeartbeat(source); // an idle source writes nothing that is behind it
      await waitFor(
        async () => {
          if (end !== undefined) throw new Error(`it ended with ${end}: ${child.output}`);
          return hasCaughtUp(target, 'tandem', asked, wantedOf(SMALL_MAPPING));
        },
        { timeoutMs, what: `the target to have caught up with ${asked}` },
      ).catch((error: unknown) => {
        throw new Error(`seed ${this.seed}: ${child.output}`, { cause: error });
      });
    } finally {
      await Promise.all([source.end(), target.end()]);
    }
  }

  /** Mirror = source, target = what it has to be by an independent reading, the journal complete. */
  async expectAgreement(note = ''): Promise<void> {
    const message = `seed ${this.seed} ${note}`;
    const state = await this.#legacyState();
    const mirror = await mirrorOf(this);
    expect(plainState(mirror.state), message).toEqual(plainState(state));
    const { tombstones, ...found } = await foundIn(this);
    const wanted = expectedFrom(state, tombstones);
    expect(readable(found.rows), message).toEqual(readable(wanted.rows));
    const { rows: _found, ...foundLists } = found;
    const { rows: _wanted, ...wantedLists } = wanted;
    expect(foundLists, message).toEqual(wantedLists);
  }

  /** From here on every change of a status is to be in the journal, once. */
  async watchJournal(): Promise<void> {
    await this.source.query('truncate status_log');
    await this.target.query(`truncate status_changes, tandem.journal_waiting;
      delete from tandem.held where entity = 'status_change';
      delete from tandem.excluded where entity = 'status_change'`);
  }

  async expectJournal(note = ''): Promise<void> {
    const line = (row: Row) => `${String(row['id'])} ${String(row['a'])} ${String(row['b'])}`;
    const seen = await this.source.query(
      'select order_id as id, from_status a, to_status b from status_log',
    );
    const key = (id: string) => `('x' || right((${id})::text, 8))::bit(32)::int as id`;
    const written = await this.target.query(
      `select ${key('order_id')}, from_status as a, to_status as b from status_changes
       union all select ${key("change->>'order_id'")}, (change->>'from_status')::int,
         (change->>'to_status')::int from tandem.journal_waiting`,
    );
    // Under this rule, those of an order that was deleted before it ever had a row.
    const [left] = await this.target.query(`select count(*)::int as n from tandem.excluded
      where entity = 'status_change' and rule = 'parent_deleted'`);
    const missing = seen.map(line);
    const foreign: string[] = [];
    for (const entry of written.map(line)) {
      const at = missing.indexOf(entry);
      if (at === -1) foreign.push(entry);
      else missing.splice(at, 1);
    }
    const message = `seed ${this.seed} ${note} missing ${missing.join(', ')}`;
    expect({ foreign, missing: missing.length }, message).toEqual({
      foreign: [],
      missing: left?.['n'],
    });
  }

  async #legacyState(): Promise<LegacyState> {
    const state: LegacyState = new Map();
    for (const table of this.model.mirror.values()) {
      const list = table.columns.map(({ name }) => `${asWritten(name)} as "${name}"`);
      const rows = await this.source.query(`select ${list.join(', ')} from ${table.relation}`);
      const key = table.columns.slice(0, table.keyLength).map(({ name }) => name);
      const keyOf = (row: Row) =>
        key.length === 1
          ? String(row[key[0] ?? ''])
          : JSON.stringify(key.map((name) => String(row[name])));
      state.set(table.name, new Map(rows.map((row) => [keyOf(row), row as LegacyRow])));
    }
    return state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#owned.map((database) => database[Symbol.asyncDispose]()));
  }
}

async function readModel(source: TestDatabase, target: TestDatabase): Promise<Model> {
  const from = await openClient(databaseOf('source', source.connectionString), 'test');
  const to = await openClient(databaseOf('target', target.connectionString), 'test');
  try {
    const { tables } = readUsages(SMALL_MAPPING);
    const wanted = new Map(
      [...tables].map(([name, { key, columns }]) => [name, { key, columns: [...columns] }]),
    );
    const mirror = [...(await mirrorTables(from, wanted)).values()];
    return buildModel(SMALL_MAPPING, mirror, await readTargetTables(to, SMALL_MAPPING));
  } finally {
    await Promise.all([from.end(), to.end()]);
  }
}

const asWritten = (column: string) =>
  /^(set_at|last_login)$/.test(column)
    ? `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"+00"')`
    : `"${column}"`;

const readable = (rows: ReadonlyMap<string, ReadonlyMap<string, unknown>>) =>
  Object.fromEntries([...rows].map(([table, byId]) => [table, Object.fromEntries(byId)]));
