import type { DebeziumEncoder } from '../connectors/debezium/encode.ts';
import type { ChangeEvent } from '../core/change-event.ts';
import { TandemError } from '../core/errors.ts';
import { HEARTBEAT_PREFIX } from '../core/heartbeat-message.ts';
import type { EncodedMessage } from '../core/log-message.ts';
import type { Batch, ChangeSource, Clock, Counts, Observer, Position } from '../core/ports.ts';
import { formatLsn, parseLsn, type Lsn } from '../core/version.ts';
import { tableTopic } from '../core/topic-name.ts';

/** Where messages go. */
interface Log {
  /**
   * Returns when all are kept.
   *
   * @returns their bytes
   */
  write(messages: readonly EncodedMessage[]): Promise<number>;
}

type RelayOptions = {
  readonly source: ChangeSource;
  readonly encoder: DebeziumEncoder;
  readonly log: Log;
  readonly prefix: string;
  /** The memory of how far the log has it, as a message for the log. */
  readonly noteOf: (lsn: Lsn) => EncodedMessage;
  readonly maxBytes: number;
  readonly maxEvents: number;
  readonly clock: Clock;
  /** Milliseconds since the epoch, by the clock of the source. */
  readonly sourceNow: () => number;
  readonly observer: Observer;
  /** Told of every batch that the log has. */
  readonly progressed: () => void;
};

/** How often the log's memory is written, and then the slot told. */
const NOTE_MS = 1_000;

/**
 * Brings the changes of a slot into a log. One batch is on its way while the next one is made; the
 * slot is told of what the log has acknowledged, once the log remembers that as well.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #over = new AbortController();
  #failure: Error | null = null;
  /** Of the batch that is on its way; never fails. */
  #sent: Promise<void> = Promise.resolve();
  #noted: Promise<void> = Promise.resolve();
  #acknowledged: Lsn;
  #confirmed: Lsn;

  constructor(startsAt: Lsn, options: RelayOptions) {
    this.#options = options;
    this.#acknowledged = startsAt;
    this.#confirmed = startsAt;
  }

  /** Until `signal` aborts: what was acknowledged by then is confirmed. Throws what fails. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, maxBytes, maxEvents } = this.#options;
    const stop = () => void this.#settle().then(() => this.#over.abort());
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const noting = this.#noteRegularly();
    const after = formatLsn(this.#confirmed) as Position;
    try {
      const limits = { maxBytes, maxEvents, signal: this.#over.signal };
      for await (const batch of source.batches(after, limits)) {
        const messages = await this.#encode(batch);
        await this.#sent;
        if (signal.aborted) await this.#settle();
        if (signal.aborted || this.#over.signal.aborted) break;
        this.#sent = this.#deliver(batch, messages).catch((error: unknown) => this.#fail(error));
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      signal.removeEventListener('abort', stop);
      await this.#settle();
      this.#over.abort();
      await noting;
    }
    if (this.#failure !== null) throw this.#failure;
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#over.abort();
  }

  /** With Avro a table has to be known to the registry before its first row. */
  async #encode({ events }: Batch): Promise<readonly EncodedMessage[]> {
    const { encoder, clock } = this.#options;
    await encoder.prepare([...new Set(events.map((event) => event.table))]);
    const sentAtMs = Math.floor(clock.now());
    const messages: EncodedMessage[] = [];
    for (const event of events) {
      const context = { txId: event.transactionId ?? null, sentAtMs };
      for (const message of encoder.encode(event, context)) messages.push(message);
    }
    return messages;
  }

  async #deliver(batch: Batch, messages: readonly EncodedMessage[]): Promise<void> {
    const { log, observer, clock, progressed } = this.#options;
    const startedMs = clock.now();
    let bytes = await log.write(messages).catch((error: unknown) => {
      throw this.#named(error, batch);
    });
    // Behind the changes: whoever reads it may believe that they are there.
    if (batch.heartbeat !== null) bytes += await log.write([this.#heartbeat(batch)]);
    if (batch.complete) this.#acknowledged = parseLsn(batch.position);
    progressed();
    observer.batch({
      events: batch.events.length,
      changesByTable: countChanges(batch.events),
      transactionsBytes: bytes,
      rowsByEntity: new Map(),
      phaseMs: { publish: clock.now() - startedMs },
      position: batch.position,
      heartbeatLagMs: this.#lagMs(batch),
    });
  }

  #lagMs({ heartbeat }: Batch): number | null {
    if (heartbeat === null) return null;
    return Math.max(0, this.#options.sourceNow() - heartbeat.sentAtMs);
  }

  #heartbeat({ heartbeat, position }: Batch): EncodedMessage {
    const { encoder, clock } = this.#options;
    const lsn = parseLsn(position);
    const content = Buffer.from(JSON.stringify({ at: String(heartbeat?.sentAtMs) }));
    const message = { prefix: HEARTBEAT_PREFIX, content, commitLsn: lsn, lsn };
    return encoder.encodeMessage(message, { txId: null, sentAtMs: Math.floor(clock.now()) });
  }

  /** The broker knows topics; the operator, tables. */
  #named(error: unknown, { events }: Batch): unknown {
    if (!(error instanceof TandemError) || error.code !== 'MESSAGE_TOO_LARGE') return error;
    const { prefix } = this.#options;
    const { topic } = error.details;
    const table = events.map((event) => event.table).find((it) => tableTopic(prefix, it) === topic);
    if (table === undefined) return error;
    const key = table.columns.slice(0, table.keyLength).map(({ name }) => name);
    const details = { table: table.name, key: key.join(', '), ...error.details };
    return new TandemError('MESSAGE_TOO_LARGE', details, error.cause);
  }

  /** What is on its way arrives, and is confirmed. */
  async #settle(): Promise<void> {
    await this.#sent;
    if (this.#failure === null) await this.#note();
  }

  async #noteRegularly(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#over;
    while (!signal.aborted) {
      await clock.sleep(NOTE_MS, signal).catch(() => undefined);
      if (!signal.aborted) await this.#note();
    }
  }

  /** Never fails; one after the other. */
  #note(): Promise<void> {
    this.#noted = this.#noted
      .then(() => this.#noteOnce())
      .catch((error: unknown) => this.#fail(error));
    return this.#noted;
  }

  /**
   * First the log, then the slot: a slot that is past what the log remembers was moved by somebody
   * else.
   */
  async #noteOnce(): Promise<void> {
    const { log, source, noteOf } = this.#options;
    const lsn = this.#acknowledged;
    if (lsn <= this.#confirmed) return;
    await log.write([noteOf(lsn)]);
    await source.confirm(formatLsn(lsn) as Position);
    this.#confirmed = lsn;
  }
}

type Kinds = Counts<ChangeEvent['kind']>;

function countChanges(events: readonly ChangeEvent[]): ReadonlyMap<string, Kinds> {
  const counts = new Map<string, Partial<Record<ChangeEvent['kind'], number>>>();
  for (const { table, kind } of events) {
    let found = counts.get(table.name);
    if (found === undefined) counts.set(table.name, (found = {}));
    found[kind] = (found[kind] ?? 0) + 1;
  }
  return counts;
}
