import type { Consumer } from 'kafkajs';
import type { Observer } from '../../core/ports.ts';
import { partitionName, type LogPosition } from './log-position.ts';

const INTERVAL_MS = 1_000;

/**
 * Tells the group how far the target is, for the tools that look there. Nobody starts from it: the
 * target knows better, so a failure is no more than worth a line.
 */
export class GroupOffsets {
  readonly #consumer: Pick<Consumer, 'commitOffsets'>;
  readonly #observer: Observer;
  readonly #waiting = new Map<string, { topic: string; partition: number; offset: string }>();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(consumer: Pick<Consumer, 'commitOffsets'>, observer: Observer) {
    this.#consumer = consumer;
    this.#observer = observer;
  }

  /** At most once a second, the last one too. */
  note(position: LogPosition): void {
    for (const { topic, partition, to } of position) {
      const offset = to.toString();
      this.#waiting.set(partitionName(topic, partition), { topic, partition, offset });
    }
    if (this.#isClosed || this.#waiting.size === 0) return;
    this.#timer ??= setTimeout(() => void this.#commit(), INTERVAL_MS);
    this.#timer.unref();
  }

  /** A partition that another member has now is told about by that one. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#waiting.keys()) if (!names.has(name)) this.#waiting.delete(name);
  }

  /** Tells what is still to be told. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#commit();
  }

  async #commit(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const offsets = [...this.#waiting.values()];
    this.#waiting.clear();
    if (offsets.length === 0) return;
    try {
      await this.#consumer.commitOffsets(offsets);
    } catch (error) {
      const reason = error instanceof Error ? error.name : 'unknown';
      this.#observer.event('kafka.offsets.refused', { reason }, 'debug');
    }
  }
}
