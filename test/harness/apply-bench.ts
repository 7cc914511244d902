import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { BackfillContext } from '../../backfill/backfill.ts';
import { readCatalog } from '../../connectors/postgres/catalog.ts';
import { openClient, type Database } from '../../connectors/postgres/connection.ts';
import { Applier } from '../../consumers/apply.ts';
import type { ApplyOptions } from '../../consumers/apply-context.ts';
import { controlSchemaSql } from '../../consumers/control-schema.ts';
import { formatLogPosition } from '../../connectors/kafka/log-position.ts';
import { buildModel, type Model } from '../../consumers/model.ts';
import { readUntil, storePosition, joinLog, takeOver } from '../../consumers/position.ts';
import { settleMirror } from '../../consumers/settle-mirror.ts';
import { readTargetTables } from '../../consumers/target-tables.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { Mapping } from '../../core/entity.ts';
import {
  splitTableName,
  type Cell,
  type Image,
  type MirrorTable,
} from '../../core/mirror-table.ts';
import type {
  Batch,
  BatchReport,
  Clock,
  Facts,
  Observer,
  Position,
  SourceReader,
  Counts,
  RootOutcome,
} from '../../core/ports.ts';
import { readUsages } from '../../core/usage.ts';
import type { Lsn, Version } from '../../core/version.ts';
import { freshPair, type Row, type TestPair } from './database.ts';
import { SMALL_MAPPING } from './small-mapping.ts';
import { LEGACY_SCHEMA, TARGET_SCHEMA } from './small-schema.ts';

/** What a legacy row is written as in a test; a column that is left out is null. */
export type LegacyRow = Readonly<Record<string, string | number | null>>;

/** Stands for a TOAST value that an update did not send. */
export const UNCHANGED = Symbol('unchanged');
export type SentRow = Readonly<Record<string, string | number | null | typeof UNCHANGED>>;

export const version = (commit: number, change = 0): Version => ({
  commitLsn: BigInt(commit) as Lsn,
  changeLsn: BigInt(change) as Lsn,
});

/** Ends a portion of a job after so many slices. */
export function afterSlices(count: number): () => boolean {
  let left = count;
  return () => --left <= 0;
}

/** An observer that keeps what it is told. */
export class Notes implements Observer {
  readonly events: { readonly name: string; readonly facts: Facts }[] = [];
  event(name: string, facts: Facts = {}): void {
    this.events.push({ name, facts });
  }
  readonly batches: BatchReport[] = [];
  progress(): void {}
  batch(report: BatchReport): void {
    this.batches.push(report);
  }
  /** Roots that the newest batch derived, by entity. */
  get derived(): Readonly<Record<string, number>> {
    const sum = (counts: Counts<RootOutcome>) =>
      Object.values(counts).reduce((all, count) => all + count, 0);
    return Object.fromEntries(
      [...(this.batches.at(-1)?.rowsByEntity ?? [])].map(([entity, counts]) => [
        entity,
        sum(counts),
      ]),
    );
  }
  named(name: string): readonly Facts[] {
    return this.events.filter((event) => event.name === name).map((event) => event.facts);
  }
}

/** A reader that must not be asked. */
const NO_READER: SourceReader = {
  readByKey: async (table, keys) => {
    throw new Error(`nobody expected ${table.name} ${keys.join(' ')} to be read again`);
  },
};

export type OpenApplier = AsyncDisposable & {
  readonly applier: Applier;
  readonly client: pg.Client;
  /** Ends its session, as a crash or an administrator would. */
  kill(): Promise<void>;
};

const OPTIONS: ApplyOptions = {
  stream: 'main',
  maxRoots: 1000,
  stopShare: 0.05,
  onTruncate: { otherwise: 'stop', tables: new Map() },
};

/** The mirror as setup makes it; the publication plays no part here. */
async function settledMirror(
  source: pg.Client,
  target: pg.Client,
  mapping: Mapping,
): Promise<readonly MirrorTable[]> {
  const { tables: wanted } = readUsages(mapping);
  const facts = {
    wanted,
    source: await readCatalog(source, 'source', [...wanted.keys()].map(splitTableName)),
    onTruncate: { otherwise: 'stop', tables: new Map() },
    unpublished: new Set<string>(),
    isStart: true,
  } as const;
  const plans = await settleMirror(target, facts, false, new Notes());
  return plans.flatMap(({ table }) => table ?? []);
}

/**
 * Two databases with the small schemas, set up but not loaded, and what is needed to feed an
 * `Applier` by hand: no replication, so that changes may arrive in any order.
 */
export class Bench implements AsyncDisposable {
  readonly pair: TestPair;
  readonly model: Model;
  readonly notes = new Notes();
  readonly source: Database;
  readonly target: Database;
  #positions = 0;
  #offset = 0n;

  private constructor(pair: TestPair, model: Model) {
    this.pair = pair;
    this.model = model;
    this.source = databaseOf('source', pair.source.connectionString);
    this.target = databaseOf('target', pair.target.connectionString);
  }

  static async open(
    given: {
      readonly mapping?: Mapping;
      readonly legacy?: string;
      readonly target?: string;
    } = {},
  ): Promise<Bench> {
    const mapping = given.mapping ?? SMALL_MAPPING;
    const pair = await freshPair();
    await pair.source.query(given.legacy ?? LEGACY_SCHEMA);
    await pair.target.query(given.target ?? TARGET_SCHEMA);
    const source = await openClient(databaseOf('source', pair.source.connectionString), 'test');
    const target = await openClient(databaseOf('target', pair.target.connectionString), 'test');
    try {
      for (const sql of controlSchemaSql()) await target.query(sql);
      const mirror = await settledMirror(source, target, mapping);
      const bench = new Bench(
        pair,
        buildModel(mapping, mirror, await readTargetTables(target, mapping)),
      );
      await storePosition(target, {
        stream: 'main',
        slot: 'test',
        systemIdentifier: '1',
        timeline: 1,
        consistentPoint: '0/1',
      });
      return bench;
    } finally {
      await Promise.all([source.end(), target.end()]);
    }
  }

  /** Another stream beside `main`, as another topic would be. */
  async addStream(stream: string): Promise<void> {
    await this.query(
      `insert into tandem.position (stream, position, slot, system_identifier, timeline, consistent_point)
       values ($1, 'start', 'test', '1', 1, '0/1') on conflict do nothing`,
      [stream],
    );
  }

  table(name: string): MirrorTable {
    const table = this.model.mirror.get(name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table;
  }

  /** An applier with a session of its own, at the position that the target holds. */
  async applier(
    options: Partial<ApplyOptions> & { readonly reader?: SourceReader } = {},
  ): Promise<OpenApplier> {
    const { reader = NO_READER, ...rest } = options;
    const stream = options.stream ?? OPTIONS.stream;
    const client = await openClient(this.target, 'test apply', { pipeline: true });
    const context = {
      client,
      model: this.model,
      options: { ...OPTIONS, ...rest },
      reader,
      observer: this.notes,
      cursor: await (options.through === 'log' ? joinLog : takeOver)(client, stream),
    };
    const applier = await Applier.open(context, await readUntil(client));
    return {
      applier,
      client,
      kill: async () => {
        await this.pair.target.query('select pg_terminate_backend($1)', [pidOf(client)]);
      },
      [Symbol.asyncDispose]: () => client.end().catch(() => undefined),
    };
  }

  /** A batch with a position of its own. */
  batch(events: readonly ChangeEvent[], given: Partial<Batch> = {}): Batch {
    return {
      events,
      bytes: 0,
      position: `p${++this.#positions}` as Position,
      complete: true,
      heartbeat: null,
      committedAtMs: null,
      ...given,
    };
  }

  /** Applies events as one batch. */
  async apply(open: OpenApplier, ...events: ChangeEvent[]): Promise<void> {
    await open.applier.apply(this.batch(events));
  }

  /** Applies events as one batch of a log; to an applier `through: 'log'`. */
  async applyFromLog(open: OpenApplier, ...events: ChangeEvent[]): Promise<void> {
    const from = this.#offset++;
    const step = { topic: 't', partition: 0, from, to: this.#offset, timestampMs: null };
    await open.applier.apply(this.batch(events, { position: formatLogPosition([step]) }));
  }

  /** Runs jobs until there are none left; returns the number of portions. */
  async runJobs({ applier }: OpenApplier): Promise<number> {
    for (let portions = 0; ; portions++) if (!(await applier.runJob())) return portions;
  }

  image(name: string, row: SentRow): Image {
    return this.table(name).columns.map((column): Cell => {
      const value = row[column.name];
      if (value === UNCHANGED) return undefined;
      return value == null ? null : String(value);
    });
  }

  write(
    kind: 'create' | 'update' | 'read',
    name: string,
    row: SentRow,
    version: Version,
    oldKey: LegacyRow | null = null,
  ): ChangeEvent {
    const table = this.table(name);
    return {
      kind,
      table,
      version,
      committedAt: kind === 'read' ? null : committedAt(version),
      row: this.image(name, row),
      oldKey: oldKey === null ? null : this.image(name, oldKey).slice(0, table.keyLength),
    };
  }

  remove(name: string, key: LegacyRow, version: Version): ChangeEvent {
    const table = this.table(name);
    return {
      kind: 'delete',
      table,
      version,
      committedAt: committedAt(version),
      key: this.image(name, key).slice(0, table.keyLength),
    };
  }

  truncate(name: string, version: Version): ChangeEvent {
    return {
      kind: 'truncate',
      table: this.table(name),
      version,
      committedAt: committedAt(version),
    };
  }

  query(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.pair.target.query(sql, params);
  }

  /** Writes rows into the source itself. */
  async insert(name: string, rows: readonly LegacyRow[]): Promise<void> {
    await this.pair.source.query(
      `insert into public.${name} select * from jsonb_populate_recordset(null::public.${name}, $1)`,
      [JSON.stringify(rows)],
    );
  }

  /** What a backfill needs, with small chunks. The slot stands at `0/1`. */
  backfillContext(given: Partial<BackfillContext> = {}): BackfillContext {
    return {
      source: this.source,
      target: this.target,
      model: this.model,
      consistentPoint: version(1).commitLsn,
      workers: 2,
      chunkRows: 7,
      portionRows: 5,
      stopShare: OPTIONS.stopShare,
      applier: async () => {
        const { applier, client } = await this.applier();
        return { applier, close: () => client.end() };
      },
      observer: this.notes,
      clock: CLOCK,
      signal: new AbortController().signal,
      ...given,
    };
  }

  /** Empties everything but the catalogue, so that one pair of databases serves many runs. */
  async reset(): Promise<void> {
    const [row] = await this.query(
      `select string_agg(format('delete from %I.%I', schemaname, tablename), ';') as sql
       from pg_tables where schemaname in ('public', 'legacy')
         or (schemaname = 'tandem' and tablename not in ('position', 'mirror'))`,
    );
    await this.query(
      `begin; set constraints all deferred; set local session_replication_role = replica;
       ${String(row?.['sql'])};
       update tandem.mirror set loaded_at = null, read_until = null, ahead_until = null; commit`,
    );
    const tables = [...this.model.mirror.values()].map((table) => table.relation).join(', ');
    await this.pair.source.query(`truncate ${tables}`);
    this.notes.events.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pair[Symbol.asyncDispose]();
  }
}

export const CLOCK: Clock = {
  now: () => Date.now(),
  sleep: async (ms) => {
    await pause(ms);
  },
};

/** Commit times follow the versions. */
const committedAt = ({ commitLsn }: Version): string =>
  new Date(Date.UTC(2024, 0, 1) + Number(commitLsn % 1_000_000n) * 1000).toISOString();

export function pidOf(client: pg.Client): number {
  return (client as unknown as { processID: number }).processID;
}

export function databaseOf(side: 'source' | 'target', connectionString: string): Database {
  const url = new URL(connectionString);
  return {
    side,
    client: {
      host: url.hostname,
      port: Number(url.port),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: url.pathname.slice(1),
    },
  };
}
