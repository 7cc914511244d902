import type { EncodedMessage } from '../../core/log-message.ts';

/** A message and the partition that it goes to. */
type PlacedMessage = EncodedMessage & { readonly partition: number };

/** What is sent at once. */
export type Round = {
  readonly messages: readonly PlacedMessage[];
  readonly bytes: number;
};

/**
 * Of one partition in a round: kafkajs makes one record batch of them, which has to stay below the
 * `max.message.bytes` of any broker (1 MB by default), and its time grows with the square of their
 * number.
 */
const PARTITION_BYTES = 500_000;
const PARTITION_MESSAGES = 1_000;
/** Beside key, value and headers. */
const RECORD_BYTES = 40;

/**
 * Packs messages into rounds, to be sent one after the other: so each partition keeps their order. A
 * message larger than the limit is alone in its partition's part.
 */
export function packRounds(messages: readonly PlacedMessage[]): readonly Round[] {
  const rounds: Round[] = [];
  let open = new OpenRound();
  for (const message of messages) {
    if (!open.takes(message)) {
      rounds.push(open.close());
      open = new OpenRound();
    }
    open.add(message);
  }
  if (messages.length > 0) rounds.push(open.close());
  return rounds;
}

class OpenRound {
  readonly #messages: PlacedMessage[] = [];
  readonly #partitions = new Map<string, { bytes: number; count: number }>();
  #bytes = 0;

  takes(message: PlacedMessage): boolean {
    const filled = this.#partitions.get(nameOf(message));
    if (filled === undefined) return true;
    const { bytes, count } = filled;
    return count < PARTITION_MESSAGES && bytes + bytesOf(message) <= PARTITION_BYTES;
  }

  add(message: PlacedMessage): void {
    const bytes = bytesOf(message);
    const name = nameOf(message);
    const filled = this.#partitions.get(name);
    if (filled === undefined) {
      this.#partitions.set(name, { bytes, count: 1 });
    } else {
      filled.bytes += bytes;
      filled.count++;
    }
    this.#messages.push(message);
    this.#bytes += bytes;
  }

  close(): Round {
    return { messages: this.#messages, bytes: this.#bytes };
  }
}

function nameOf({ topic, partition }: PlacedMessage): string {
  return `${topic}/${partition}`;
}

/** What a message takes in a record batch that is not compressed. */
export function bytesOf({ key, value, headers }: EncodedMessage): number {
  let bytes = RECORD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const name in headers) bytes += name.length + (headers[name]?.length ?? 0);
  return bytes;
}
