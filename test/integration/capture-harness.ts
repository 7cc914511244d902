import { setTimeout as pause } from 'node:timers/promises';
import { ensurePublication } from '../../connectors/postgres/publication.ts';
import { openClient, type Database } from '../../connectors/postgres/connection.ts';
import { mirrorTables, type WantedTable } from '../../connectors/postgres/mirror-tables.ts';
import {
  PostgresSource,
  positionOf,
  type PostgresSourceOptions,
} from '../../connectors/postgres/replication-source.ts';
import { createSlot } from '../../connectors/postgres/slot.ts';
import { identifySource } from '../../connectors/postgres/source-identity.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { Image, MirrorTable } from '../../core/mirror-table.ts';
import type { Batch, Clock, Facts, Observer, Position } from '../../core/ports.ts';
import type { Lsn } from '../../core/version.ts';
import type { TestDatabase } from '../harness/database.ts';

export const clock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await pause(ms, undefined, signal === undefined ? {} : { signal });
  },
};

/** An observer that keeps what it is told. */
export class RecordingObserver implements Observer {
  readonly events: { readonly name: string; readonly facts: Facts }[] = [];

  event(name: string, facts: Facts = {}): void {
    this.events.push({ name, facts });
  }

  progress(): void {}
  batch(): void {}

  named(name: string): readonly Facts[] {
    return this.events.filter((event) => event.name === name).map((event) => event.facts);
  }
}

export function sourceAt(connectionString: string): Database {
  const url = new URL(connectionString);
  return {
    side: 'source',
    client: {
      host: url.hostname,
      port: Number(url.port),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: url.pathname.slice(1),
    },
  };
}

type Wanted = Readonly<Record<string, WantedTable>>;

/** A publication and a slot for `wanted`, and sources that read it. */
export class Capture {
  readonly database: Database;
  readonly tables: ReadonlyMap<string, MirrorTable>;
  readonly slot: string;
  readonly start: Lsn;
  readonly observer = new RecordingObserver();
  readonly publication: string;

  private constructor(facts: {
    readonly database: Database;
    readonly tables: ReadonlyMap<string, MirrorTable>;
    readonly slot: string;
    readonly publication: string;
    readonly start: Lsn;
  }) {
    this.database = facts.database;
    this.tables = facts.tables;
    this.slot = facts.slot;
    this.publication = facts.publication;
    this.start = facts.start;
  }

  static async setUp(
    db: TestDatabase,
    wanted: Wanted,
    publication = `pub "it's"`,
  ): Promise<Capture> {
    const database = sourceAt(db.connectionString);
    const slot = `slot_${db.name}`;
    const client = await openClient(database, 'test');
    try {
      const tables = await mirrorTables(client, new Map(Object.entries(wanted)));
      const { serverVersion } = await identifySource(client);
      await ensurePublication(client, {
        name: publication,
        tables: [...tables.values()],
        serverVersion,
      });
      const start = await createSlot(client, slot);
      return new Capture({ database, tables, slot, publication, start });
    } finally {
      await client.end();
    }
  }

  get position(): Position {
    return positionOf(this.start);
  }

  source(options: Partial<PostgresSourceOptions> = {}): PostgresSource {
    return new PostgresSource({
      database: this.database,
      slot: this.slot,
      publication: this.publication,
      tables: [...this.tables.values()],
      observer: this.observer,
      clock,
      ...options,
    });
  }

  table(name: string): MirrorTable {
    const table = this.tables.get(name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table;
  }

  /** Reads from the slot's start until `isEnough`, then ends the stream. Confirms nothing. */
  async read(isEnough: (seen: Seen) => boolean, limits: Limits = {}): Promise<Seen> {
    return readUntil(this.source(), this.position, isEnough, limits);
  }
}

type Limits = { readonly maxBytes?: number; readonly maxEvents?: number };

type Seen = {
  readonly batches: readonly Batch[];
  readonly events: readonly ChangeEvent[];
  readonly position: Position;
};

export async function readUntil(
  source: PostgresSource,
  after: Position,
  isEnough: (seen: Seen) => boolean,
  { maxBytes = 8_000_000, maxEvents = 10_000 }: Limits = {},
): Promise<Seen> {
  const end = new AbortController();
  const batches: Batch[] = [];
  const seen = () => ({
    batches,
    events: batches.flatMap((batch) => batch.events),
    position: batches.at(-1)?.position ?? after,
  });
  for await (const batch of source.batches(after, { maxBytes, maxEvents, signal: end.signal })) {
    batches.push(batch);
    if (isEnough(seen())) end.abort();
  }
  return seen();
}

/** `kind` and what the event holds, for comparison. */
export function brief(event: ChangeEvent): readonly unknown[] {
  switch (event.kind) {
    case 'truncate':
      return [event.kind, event.table.name];
    case 'delete':
      return [event.kind, event.key];
    case 'create':
    case 'update':
    case 'read':
      return event.oldKey === null
        ? [event.kind, event.row]
        : [event.kind, event.row, { oldKey: event.oldKey }];
  }
}

/** The row of a change that wrote one. */
export function rowOf(event: ChangeEvent | undefined): Image {
  if (event === undefined || !('row' in event)) throw new Error('no row was written');
  return event.row;
}
