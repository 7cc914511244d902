import type pg from 'pg';
import { openClient, textRows, type Database } from '../../connectors/postgres/connection.ts';
import type { Clock } from '../../core/ports.ts';

const PAUSE_MS = 100;

/**
 * Waits until no job of an active entity is open, at most `settleMs`. Jobs of one that is paused or
 * stopped stay open: nobody waits for those.
 */
export async function settleJobs(options: {
  readonly target: Database;
  readonly settleMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { target, settleMs, clock, signal } = options;
  const until = clock.now() + settleMs;
  const client = await openClient(target, 'verify');
  try {
    for (;;) {
      signal.throwIfAborted();
      const [row] = await textRows(
        client,
        `select exists (select from tandem.job left join tandem.entity on entity.name = job.entity
           where coalesce(entity.state, 'active') = 'active')`,
      );
      if (row?.[0] !== 't' || clock.now() >= until) return;
      await clock.sleep(PAUSE_MS, signal);
    }
  } finally {
    await client.end();
  }
}

export const NOT_DERIVED = 'not derived yet';

/** By entity: why its target rows cannot be judged now; null: they can. */
export async function entityStates(
  client: pg.ClientBase,
): Promise<ReadonlyMap<string, string | null>> {
  const rows = await textRows(
    client,
    'select name, state, derived_at is not null from tandem.entity',
  );
  return new Map(
    rows.map(([name, state, isDerived]) => [
      name ?? '',
      state !== 'active' ? (state ?? '') : isDerived === 't' ? null : NOT_DERIVED,
    ]),
  );
}
