import { preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { Batch } from '../core/ports.ts';
import type { ApplyContext } from './apply-context.ts';
import type { Fence } from './fence.ts';
import type { InactiveEntities } from './inactive-entities.ts';

/** The fence of a stream that one process has: its position and its epoch, in one row. */
export class SlotFence implements Fence {
  readonly #context: ApplyContext;
  readonly #inactive: InactiveEntities;

  constructor(context: ApplyContext, inactive: InactiveEntities) {
    this.#context = context;
    this.#inactive = inactive;
  }

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
