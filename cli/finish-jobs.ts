import type pg from 'pg';
import { inactiveEntities } from '../consumers/entity-state.ts';
import { jobProgress, type JobProgress } from '../consumers/jobs.ts';
import { systemClock } from './clock.ts';
import type { Context } from './command.ts';
import type { Engine } from './engine.ts';

const LOOK_MS = 50;

/**
 * Sees that jobs are done: here, where nobody streams, else by the process that does. `left`: that
 * one goes on with them; `stopped`: an entity of theirs has, so nobody does them.
 */
export async function finishJobs(
  context: Context,
  { engine, target }: { readonly engine: Engine; readonly target: pg.Client },
  asked: { readonly jobs: readonly string[]; readonly waits: boolean; readonly timeoutMs: number },
): Promise<'done' | 'left' | 'stopped'> {
  const observer = await context.observer();
  const signal = context.stopSignal();
  const start = Date.now();
  let fate: 'done' | 'left' | 'stopped' = 'left';
  let open: readonly JobProgress[] = [];
  const isOver = async () => {
    const before = open;
    open = await jobProgress(target, asked.jobs);
    for (const { entity, done, of } of open) observer.progress('jobs', entity, done, of);
    for (const { id, entity, done, of } of before) {
      if (!open.some((job) => job.id === id)) observer.progress('jobs', entity, of ?? done, of);
    }
    if (open.length === 0) fate = 'done';
    else {
      const inactive = await inactiveEntities(target);
      fate = open.every(({ entity }) => inactive.has(entity)) ? 'stopped' : 'left';
    }
    return fate !== 'left' || signal.aborted || Date.now() - start > asked.timeoutMs;
  };
  const isHere = (await engine.readerPid()) === null;
  if (isHere) await engine.runJobs(isOver);
  if (!isHere && !asked.waits) return 'left';
  // Also where a process began to stream while it was done here: the jobs are that one's then.
  while (!(await isOver())) await systemClock.sleep(LOOK_MS, signal);
  return fate;
}
