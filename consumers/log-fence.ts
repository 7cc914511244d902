import {
  parseLogPosition,
  type LogPosition,
  type PartitionStep,
} from '../connectors/kafka/log-position.ts';
import { preparedRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { TandemError } from '../core/errors.ts';
import type { Batch } from '../core/ports.ts';
import type { ApplyContext } from './apply-context.ts';
import type { Fence } from './fence.ts';
import type { InactiveEntities } from './inactive-entities.ts';

/**
 * The fence of a stream that comes through a log, whose partitions several processes share. Each
 * partition's position moves by compare-and-set, which suffices: what lies between two offsets is the
 * same for everybody, so of two consumers that believe to have a partition the faster one is right,
 * and the other one goes on from there. The stream's row is held together, and its epoch keeps out
 * whoever was there before the stream came through the log, or is there after it.
 */
export class LogFence implements Fence {
  readonly #context: ApplyContext;
  readonly #inactive: InactiveEntities;

  constructor(context: ApplyContext, inactive: InactiveEntities) {
    this.#context = context;
    this.#inactive = inactive;
  }

  async advance(batch: Batch): Promise<void> {
    await this.#pass(parseLogPosition(batch.position));
  }

  async hold(): Promise<void> {
    await this.#pass([]);
  }

  async #pass(steps: LogPosition): Promise<void> {
    const { client, options, cursor } = this.#context;
    // All in one order: two that meet wait for each other, and do not lock each other out.
    const sorted = [...steps].sort(
      (a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0) || a.partition - b.partition,
    );
    const array = (value: (step: PartitionStep) => number | bigint | string | null) =>
      arrayLiteral(sorted.map((step) => value(step)?.toString() ?? null));
    const [row] = await preparedRows(
      client,
      `select taken, array_to_json(inactive), tables
       from tandem.fence_log($1, $2, $3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[],
         $8::boolean[])`,
      [
        options.stream,
        cursor.epoch,
        array(({ topic }) => topic),
        array(({ partition }) => partition),
        array(({ from }) => from),
        array(({ to }) => to),
        array(({ timestampMs }) => timestampMs),
        array(({ hasGaps }) => (hasGaps === true ? 't' : 'f')),
      ],
    );
    const [taken, inactive, tables] = row ?? [];
    if (inactive == null) {
      throw new TandemError('POSITION_TAKEN', { stream: options.stream, epoch: cursor.epoch });
    }
    if (taken != null) throw new TandemError('PARTITION_TAKEN', { partition: taken });
    if (options.tablesDigest !== undefined && tables !== options.tablesDigest) {
      throw new TandemError('TABLES_CHANGED', { stream: options.stream });
    }
    this.#inactive.are(JSON.parse(inactive) as string[]);
  }

  /** Counts only when all partitions are as far: see `LogProgress`. */
  heartbeatLagMs(): null {
    return null;
  }
}
