import type pg from 'pg';
import { addJobs } from '../consumers/jobs.ts';
import type { EntityRepair } from '../proof/target/plan-repair.ts';
import { awaitJobs } from './await-jobs.ts';
import type { Engine } from './engine.ts';

/** Derives roots again, by jobs: whoever streams does them, and where nobody does it is done here. */
export async function repairTarget(options: {
  readonly engine: Engine;
  readonly target: pg.ClientBase;
  readonly repairs: readonly EntityRepair[];
  /** For the process that streams. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { engine, target, repairs, waitMs, signal } = options;
  const wanted = [...repairs]
    .sort((a, b) => (a.entity < b.entity ? -1 : 1))
    .map(({ entity, roots }) => ({ entity, keys: roots }));
  const jobs = await addJobs(target, wanted, 'verify --repair');
  await awaitJobs(engine, target, {
    ...{ jobs, signal, waits: true, timeoutMs: waitMs, hereMs: Infinity },
  });
}
