import type { ChangeEvent } from '../../core/change-event.ts';
import { TandemError } from '../../core/errors.ts';
import { heartbeatOf } from '../../core/heartbeat-message.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { Lsn } from '../../core/version.ts';
import type { BatchQueue } from './batch-queue.ts';
import type { PgoutputDecoder } from './pgoutput/decode.ts';
import type { BeginMessage, CommitMessage, LogicalMessage } from './pgoutput/messages.ts';
import {
  deleteEvent,
  epochMs,
  insertEvent,
  timestampText,
  truncateEvents,
  updateEvent,
  type EventStamp,
} from './pgoutput/translate.ts';

type OpenTransaction = {
  readonly commitLsn: Lsn;
  readonly committedAt: string;
  readonly committedAtMs: number;
  readonly transactionId: number;
  /** The target has it already: it is read and thrown away. */
  readonly isOld: boolean;
};

/** Turns the messages of one connection, in their order, into transactions in a queue. */
export class TransactionReader {
  readonly #decoder: PgoutputDecoder;
  readonly #queue: BatchQueue;
  readonly #after: Lsn;
  readonly #onRelation: (table: MirrorTable, isFirst: boolean) => void;
  #open: OpenTransaction | null = null;

  constructor(options: {
    readonly decoder: PgoutputDecoder;
    readonly queue: BatchQueue;
    /** Transactions that ended here or before are left out. */
    readonly after: Lsn;
    readonly onRelation: (table: MirrorTable, isFirst: boolean) => void;
  }) {
    this.#decoder = options.decoder;
    this.#queue = options.queue;
    this.#after = options.after;
    this.#onRelation = options.onRelation;
  }

  /**
   * @param lsnText where the change stands in the WAL
   * @param bytes one pgoutput message; nothing of it is kept
   */
  receive(lsnText: string, bytes: Buffer): void {
    const message = this.#decoder.decode(bytes);
    switch (message.kind) {
      case 'update':
        return this.#add(updateEvent(message, this.#stamp(lsnText)), bytes.length);
      case 'insert':
        return this.#add(insertEvent(message, this.#stamp(lsnText)), bytes.length);
      case 'delete':
        return this.#add(deleteEvent(message, this.#stamp(lsnText)), bytes.length);
      case 'truncate':
        for (const event of truncateEvents(message, this.#stamp(lsnText))) this.#add(event, 0);
        return;
      case 'begin':
        return this.#begin(message);
      case 'commit':
        return this.#commit(message);
      case 'message':
        return this.#logicalMessage(message);
      case 'relation':
        return this.#onRelation(message.table, message.isFirst);
      case 'skipped':
        return;
    }
  }

  #begin({ commitLsn, committedAt, transactionId }: BeginMessage): void {
    if (this.#open !== null) throw outOfOrder('a transaction begins inside another');
    // A position lies between two records: a commit record that starts before it also ends before.
    const isOld = commitLsn < this.#after;
    this.#open = {
      commitLsn,
      committedAt: timestampText(committedAt),
      committedAtMs: epochMs(committedAt),
      transactionId,
      isOld,
    };
    if (!isOld) this.#queue.begin();
  }

  #stamp(lsnText: string): EventStamp {
    const open = this.#open;
    if (open === null) throw outOfOrder('a change outside of a transaction');
    const version = { commitLsn: open.commitLsn, changeLsn: lsnOf(lsnText) };
    return { version, committedAt: open.committedAt, transactionId: open.transactionId };
  }

  #add(event: ChangeEvent, wireBytes: number): void {
    if (this.#open?.isOld === false) this.#queue.add(event, bytesOf(event, wireBytes));
  }

  #commit({ commitLsn, endLsn }: CommitMessage): void {
    const open = this.#open;
    if (open?.commitLsn !== commitLsn) throw outOfOrder('the commit of another transaction');
    this.#open = null;
    if (!open.isOld) this.#queue.commit(endLsn, open.committedAtMs);
  }

  /** Non-transactional ones come between transactions, so all that committed before has arrived. */
  #logicalMessage(message: LogicalMessage): void {
    if (message.isTransactional || this.#open !== null || message.lsn <= this.#after) return;
    const heartbeat = heartbeatOf(message);
    if (heartbeat === null) this.#queue.advance(message.lsn);
    else this.#queue.heartbeat(message.lsn, heartbeat);
  }
}

function outOfOrder(what: string): TandemError {
  return new TandemError('PROTOCOL_VIOLATION', { what });
}

/** Objects, LSNs and a pointer and string header per cell, beside the text itself. */
function bytesOf(event: ChangeEvent, wireBytes: number): number {
  return 200 + 24 * event.table.columns.length + wireBytes;
}

/** Like `parseLsn`, for text that the driver has just made from two numbers: once per change. */
function lsnOf(text: string): Lsn {
  const slash = text.indexOf('/');
  const high = parseInt(text.slice(0, slash), 16);
  const low = parseInt(text.slice(slash + 1), 16);
  return ((BigInt(high) << 32n) | BigInt(low)) as Lsn;
}
