import type { Batch } from '../core/ports.ts';

/**
 * The first statement of every transaction that writes: whoever finds a position elsewhere, or a
 * younger epoch, writes nothing.
 */
export interface Fence {
  /**
   * Moves the position on, and learns which entities are not derived.
   *
   * @throws TandemError `POSITION_TAKEN`: another process has the stream; `PARTITION_TAKEN`: another
   *   consumer of the same log was faster
   */
  advance(batch: Batch): Promise<void>;

  /** The same for a transaction that moves the position later, or not. Throws `POSITION_TAKEN`. */
  hold(): Promise<void>;

  /** From the source's clock to now by the same clock; null where the batch does not tell. */
  heartbeatLagMs(batch: Batch): number | null;
}
