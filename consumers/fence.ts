import { preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { Batch } from '../core/ports.ts';
import type { ApplyContext } from './apply-context.ts';

/**
 * The first statement of every transaction that writes: whoever finds the position elsewhere, or a
 * younger epoch, writes nothing. The row stays locked, so nobody takes over meanwhile.
 */
export class Fence {
  readonly #context: ApplyContext;

  constructor(context: ApplyContext) {
    this.#context = context;
  }

  /** Moves the position on. Throws `POSITION_TAKEN`. */
  async advance(batch: Batch): Promise<void> {
    const { client, options, cursor } = this.#context;
    const at = batch.heartbeat === null ? null : new Date(batch.heartbeat.sentAtMs).toISOString();
    const lag = this.heartbeatLagMs(batch);
    const [row] = await preparedRows(client, 'select tandem.advance($1, $2, $3, $4, $5, $6, $7)', [
      options.stream,
      cursor.epoch,
      cursor.position,
      batch.position,
      at,
      lag === null ? null : `${lag} ms`,
      batch.committedAtMs === null ? null : new Date(batch.committedAtMs).toISOString(),
    ]);
    if (row?.[0] !== 't') throw this.#taken();
  }

  /** Only looks, for a transaction that moves the position later. Throws `POSITION_TAKEN`. */
  async hold(): Promise<void> {
    const { client, options, cursor } = this.#context;
    const [row] = await preparedRows(
      client,
      `select position from tandem.position where stream = $1 and epoch = $2 for update`,
      [options.stream, cursor.epoch],
    );
    if (row?.[0] !== cursor.position) throw this.#taken();
  }

  /** From the source's clock to now by the same clock. */
  heartbeatLagMs({ heartbeat }: Batch): number | null {
    if (heartbeat === null) return null;
    const { sourceNow = Date.now } = this.#context.options;
    return Math.max(0, sourceNow() - heartbeat.sentAtMs);
  }

  #taken(): TandemError {
    const { options, cursor } = this.#context;
    return new TandemError('POSITION_TAKEN', {
      stream: options.stream,
      expected: cursor.position,
    });
  }
}
