import { preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { Batch, Position } from '../core/ports.ts';
import type { ApplyContext } from './apply-context.ts';
import { inactiveStates } from './entity-state.ts';
import type { InactiveEntities } from './inactive-entities.ts';

/**
 * The first statement of every transaction that writes: whoever finds the position elsewhere, or a
 * younger epoch, writes nothing. The row stays locked, so nobody takes over meanwhile.
 */
export class Fence {
  readonly #context: ApplyContext;
  readonly #inactive: InactiveEntities;

  constructor(context: ApplyContext, inactive: InactiveEntities) {
    this.#context = context;
    this.#inactive = inactive;
  }

  /** Moves the position on, and learns which entities are not derived. Throws `POSITION_TAKEN`. */
  async advance(batch: Batch): Promise<void> {
    const at = batch.heartbeat === null ? null : new Date(batch.heartbeat.sentAtMs).toISOString();
    const lag = this.heartbeatLagMs(batch);
    await this.#pass(
      batch.position,
      at,
      lag === null ? null : `${lag} ms`,
      batch.committedAtMs === null ? null : new Date(batch.committedAtMs).toISOString(),
    );
  }

  /** The same for a transaction that moves the position later, or not. Throws `POSITION_TAKEN`. */
  async hold(): Promise<void> {
    await this.#pass(null, null, null, null);
  }

  async #pass(...how: readonly (string | null)[]): Promise<void> {
    const { client, options, cursor } = this.#context;
    const [row] = await preparedRows(
      client,
      'select array_to_json(tandem.fence($1, $2, $3, $4, $5, $6, $7))',
      [options.stream, cursor.epoch, cursor.position, ...how],
    );
    if (row?.[0] == null) throw this.#taken();
    this.#inactive.are(JSON.parse(row[0]) as string[]);
  }

  /**
   * Keeps everybody else who writes out, for a transaction that is right whoever has the stream.
   *
   * @returns the position: the target holds everything that the source committed before it
   */
  async keepOut(): Promise<Position> {
    const { client, options } = this.#context;
    const [row] = await preparedRows(
      client,
      'select position from tandem.position where stream = $1 for update',
      [options.stream],
    );
    if (row === undefined) throw new TandemError('NOT_SET_UP', { stream: options.stream });
    // Behind the lock: who pauses an entity holds it while the state changes.
    this.#inactive.are((await inactiveStates(client)).keys());
    return (row[0] ?? '') as Position;
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
