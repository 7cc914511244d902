import type pg from 'pg';
import { execute } from '../connectors/postgres/connection.ts';
import { inactiveEntities } from '../consumers/entity-state.ts';
import { addJob, areOpen } from '../consumers/jobs.ts';
import type { EntityRepair } from '../proof/target/plan-repair.ts';
import { systemClock } from './clock.ts';
import type { Engine } from './engine.ts';

/**
 * Derives roots again, by jobs: whoever streams does them, and where nobody does it is done here.
 *
 * @returns false: not all was done within the time
 */
export async function repairTarget(options: {
  readonly engine: Engine;
  readonly target: pg.ClientBase;
  readonly repairs: readonly EntityRepair[];
  readonly waitMs: number;
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const { engine, target, waitMs, signal } = options;
  const wanted = options.repairs.filter(({ roots }) => roots.length > 0);
  const ids = await addJobs(target, wanted);
  const until = systemClock.now() + waitMs;
  const isDone = async () => !(await areOpen(target, ids));
  const isOver = async () => {
    if (signal.aborted || (await isDone())) return true;
    const inactive = await inactiveEntities(target);
    return wanted.some(({ entity }) => inactive.has(entity));
  };
  if ((await engine.readerPid()) === null) await engine.runJobs(isOver);
  // Also where a process began to stream meanwhile: the jobs are that one's then.
  while (!(await isOver()) && systemClock.now() < until) await systemClock.sleep(50, signal);
  return isDone();
}

/** All of them or none. */
async function addJobs(
  target: pg.ClientBase,
  wanted: readonly EntityRepair[],
): Promise<readonly string[]> {
  const ids: string[] = [];
  await execute(target, 'begin');
  try {
    for (const { entity, roots } of [...wanted].sort((a, b) => (a.entity < b.entity ? -1 : 1))) {
      const reason = 'verify --repair';
      ids.push(await addJob(target, { entity, usage: null, values: roots, reason }));
    }
    await execute(target, 'commit');
    return ids;
  } catch (error) {
    await execute(target, 'rollback').catch(() => undefined);
    throw error;
  }
}
