import type { ChangeEvent } from '../../core/change-event.ts';
import type { ErrorCode } from '../../core/errors.ts';

/** A message as it came, with where it was. */
export type RawMessage = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>;
};

/** What a message says. */
export type Decoded =
  | { readonly kind: 'change'; readonly event: ChangeEvent }
  | { readonly kind: 'heartbeat'; readonly sentAtMs: number }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unreadable'; readonly code: ErrorCode; readonly message: string };

/** Reads messages. Which format they have is its affair. */
export interface MessageDecoder {
  /** Fetches whatever these messages need to be read: then `decode` need not wait. */
  prepare(messages: readonly RawMessage[]): Promise<void>;
  decode(message: RawMessage): Decoded;
}
