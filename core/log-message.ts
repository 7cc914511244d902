import type { ChangeEvent } from './change-event.ts';
import type { ErrorCode } from './errors.ts';
import type { Image, MirrorTable } from './mirror-table.ts';

/** A message of the log as it was taken from Kafka, before anybody has looked into it. */
export type RawMessage = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the epoch, by the clock of the producer or of the broker. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>;
};

/** What a message says. */
export type Decoded =
  | { readonly kind: 'change'; readonly event: ChangeEvent }
  | { readonly kind: 'heartbeat'; readonly sentAtMs: number }
  /** Follows the delete of its key, and is all that compaction leaves of it. Says nothing of when. */
  | { readonly kind: 'tombstone'; readonly table: MirrorTable; readonly key: Image }
  /** A logical message that is no heartbeat, a topic that is none of ours. */
  | { readonly kind: 'nothing' }
  /** `message` names table and column, never a value. */
  | { readonly kind: 'unreadable'; readonly code: ErrorCode; readonly message: string };

/** Reads messages. Which format they have is its affair. */
export interface MessageDecoder {
  /** Fetches whatever these messages need to be read: then `decode` asks nobody. */
  prepare(messages: readonly RawMessage[]): Promise<void>;

  /** @throws TandemError `PROTOCOL_VIOLATION` for a message that `prepare` was not given */
  decode(message: RawMessage): Decoded;
}

/** One for the log. What is sent for one change has one topic and, by its keys, its partitions. */
export type EncodedMessage = {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
};
