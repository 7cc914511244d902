import type { TandemError } from '../../core/errors.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type {
  Batch,
  BatchOptions,
  ChangeSource,
  Clock,
  Observer,
  Position,
} from '../../core/ports.ts';
import { formatLsn, parseLsn, type Lsn } from '../../core/version.ts';
import { BatchQueue } from './batch-queue.ts';
import type { Database } from './connection.ts';
import { Doorbell } from '../../core/doorbell.ts';
import { MESSAGES_SINCE } from './heartbeat-message.ts';
import { PgoutputDecoder, type Describe } from './pgoutput/decode.ts';
import { ReplicationLink } from './replication-link.ts';
import { watchPublication } from './publication-watch.ts';
import { prepareStream } from './stream-start.ts';
import { TransactionReader } from './transaction-reader.ts';

export type PostgresSourceOptions = {
  readonly database: Database;
  readonly slot: string;
  readonly publication: string;
  readonly tables: readonly MirrorTable[];
  /** By table: where it joins the stream; its changes before are left out. Default: all are read. */
  readonly joinsAt?: ReadonlyMap<string, Lsn>;
  /** Takes tables as the stream describes them. Default: what is mapped of them, and no more. */
  readonly describe?: Describe;
  /** A mapped table was described anew: its definition has most likely changed. */
  readonly onDescribed?: (table: MirrorTable) => void;
  readonly observer: Observer;
  readonly clock: Clock;
  /** How often the server is told the confirmed position; shorter where the server wants it. */
  readonly statusIntervalMs?: number;
  /** How often to look whether the publication still sends all tables. Default: 30 seconds. */
  readonly publicationCheckMs?: number;
};

/** The position of a WAL location: what `batches` takes and gives. */
export function positionOf(lsn: Lsn): Position {
  return formatLsn(lsn) as Position;
}

/**
 * The logical replication slot of a PostgreSQL server as a stream of changes. One reader at a time:
 * the server gives a slot to one connection only.
 */
export class PostgresSource implements ChangeSource {
  readonly #options: PostgresSourceOptions;
  #link: ReplicationLink | null = null;
  #confirmed = 0n as Lsn;

  constructor(options: PostgresSourceOptions) {
    this.#options = options;
  }

  async *batches(after: Position, options: BatchOptions): AsyncGenerator<Batch, void> {
    const { signal } = options;
    const stream = new ArrivingStream(parseLsn(after), options.maxBytes);
    const ring = () => stream.bell.ring();
    signal.addEventListener('abort', ring);
    const over = new AbortController();
    let link: ReplicationLink | null = null;
    try {
      this.#confirmed = stream.after;
      link = await this.#open(stream, signal);
      this.#link = link;
      this.#watchPublication(stream, over.signal);
      while (link !== null && !signal.aborted) {
        const batch = stream.take(options, this.#options.clock.now());
        link.setPaused(stream.isFull);
        if (batch !== null) {
          yield batch;
        } else if (stream.failure !== null) {
          throw stream.failure;
        } else {
          await stream.bell.wait(stream.idleDueInMs(this.#options.clock.now()));
        }
      }
    } finally {
      signal.removeEventListener('abort', ring);
      over.abort();
      if (this.#link === link) this.#link = null;
      await link?.close();
    }
  }

  async confirm(position: Position): Promise<void> {
    const lsn = parseLsn(position);
    if (lsn <= this.#confirmed) return;
    this.#confirmed = lsn;
    this.#link?.sendStatus();
  }

  /** What ended before the position is in the target: it is not even decoded. */
  #readFrom(after: Lsn): ReadonlyMap<string, Lsn> {
    const { tables, joinsAt } = this.#options;
    const from = ({ name }: MirrorTable) => {
      const joins = joinsAt?.get(name) ?? after;
      return joins > after ? joins : after;
    };
    return new Map(tables.map((table) => [table.name, from(table)]));
  }

  #watchPublication(stream: ArrivingStream, signal: AbortSignal): void {
    const { database, publication, tables, clock } = this.#options;
    void watchPublication({
      database,
      stream: { publication, tables },
      intervalMs: this.#options.publicationCheckMs ?? 30_000,
      clock,
      signal,
      onGap: (error) => stream.fail(error),
    });
  }

  /** Null when aborted: a server that does not answer must not hold up an end. */
  async #open(stream: ArrivingStream, signal: AbortSignal): Promise<ReplicationLink | null> {
    const opening = this.#connect(stream, signal);
    let stop: () => void = () => undefined;
    const aborted = new Promise<null>((resolve) => {
      stop = () => resolve(null);
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
    });
    const link = await Promise.race([opening, aborted]).finally(() =>
      signal.removeEventListener('abort', stop),
    );
    if (link === null) opening.then((late) => late?.close()).catch(() => undefined);
    return link;
  }

  async #connect(stream: ArrivingStream, signal: AbortSignal): Promise<ReplicationLink | null> {
    const { database, slot, publication, tables, observer, clock } = this.#options;
    const { after } = stream;
    const start = await prepareStream(database, { slot, publication, tables, after });
    if (signal.aborted) return null;
    const byName = new Map(tables.map((table) => [`${table.schema}.${table.relation}`, table]));
    const reader = new TransactionReader({
      decoder: new PgoutputDecoder(
        byName,
        start.types,
        this.#readFrom(after),
        this.#options.describe,
      ),
      queue: stream.queue,
      after,
      onRelation: (table, isFirst) => {
        if (isFirst) return;
        observer.event('relation.described', { table: table.name }, 'debug');
        this.#options.onDescribed?.(table);
      },
    });
    const link = await ReplicationLink.open({
      database,
      slot,
      publication,
      withMessages: start.serverVersion >= MESSAGES_SINCE,
      from: formatLsn(after),
      statusIntervalMs: this.#options.statusIntervalMs ?? 5_000,
      serverTimeoutMs: start.serverTimeoutMs,
      confirmed: () => this.#confirmed,
      now: () => clock.now(),
      onMessage: (lsn, bytes) => {
        reader.receive(lsn, bytes);
        stream.bell.ring();
      },
      isFull: () => stream.isFull,
      onKeepalive: (walEnd) => {
        stream.queue.advance(walEnd);
        stream.bell.ring();
      },
      onFailure: (error) => stream.fail(error),
    });
    observer.event('stream.started', { slot, position: formatLsn(after) });
    return link;
  }
}

/** How long an event-less batch waits, so that it neither crowds out changes nor comes too often. */
const QUIET_MS = 50;
const IDLE_MS = 500;

/** What one connection has brought, and what became of it. */
class ArrivingStream {
  readonly bell = new Doorbell();
  readonly queue: BatchQueue;
  readonly after: Lsn;
  /** Told only once everything that arrived before it has been given out. */
  failure: TandemError | null = null;
  readonly #maxBytes: number;
  #last = { atMs: 0, hadEvents: true };

  constructor(after: Lsn, maxBytes: number) {
    this.after = after;
    this.queue = new BatchQueue(after);
    this.#maxBytes = maxBytes;
  }

  get isFull(): boolean {
    return this.queue.bytes >= this.#maxBytes;
  }

  fail(error: TandemError): void {
    this.failure ??= error;
    this.bell.ring();
  }

  take(options: BatchOptions, nowMs: number): Batch | null {
    let batch = this.queue.take(options);
    if (batch === null && this.idleDueInMs(nowMs) === 0) batch = this.queue.takeIdle();
    if (batch !== null) this.#last = { atMs: nowMs, hadEvents: batch.events.length > 0 };
    return batch;
  }

  /** When a batch without events is due; null while there is nothing new to say. */
  idleDueInMs(nowMs: number): number | null {
    if (!this.queue.hasIdled) return null;
    const wait = this.#last.hadEvents ? QUIET_MS : IDLE_MS;
    return Math.max(0, this.#last.atMs + wait - nowMs);
  }
}
