import type pg from 'pg';
import { inactiveStates } from '../consumers/entity-state.ts';
import { jobProgress, type JobProgress } from '../consumers/jobs.ts';
import { systemClock } from './clock.ts';
import type { Engine } from './engine.ts';

const LOOK_MS = 50;

/**
 * What became of jobs. `left`: the process that streams goes on with them, and nobody asked to wait
 * for it; `open`: it took too long, or was stopped; `stopped`: the entities of those that are open
 * are not derived at present, so nobody does them.
 */
export type JobsFate = 'done' | 'left' | 'open' | 'stopped';

type JobsAsked = {
  readonly jobs: readonly string[];
  /** Where a process streams, which does them: whether to wait for it. */
  readonly waits: boolean;
  readonly timeoutMs: number;
  /** So long it may take where it is done here; default: `timeoutMs`. */
  readonly hereMs?: number;
  readonly signal: AbortSignal;
  /** Is told which jobs are open, again and again. */
  readonly look?: (open: readonly JobProgress[]) => void;
};

/** Sees that jobs are done: here, where nobody streams, else by the process that does. */
export async function awaitJobs(
  engine: Engine,
  target: pg.ClientBase,
  { jobs, waits, timeoutMs, hereMs = timeoutMs, signal, look }: JobsAsked,
): Promise<JobsFate> {
  const start = systemClock.now();
  let fate: JobsFate = 'open';
  const isOverAfter = (limitMs: number) => async () => {
    const open = await jobProgress(target, jobs);
    look?.(open);
    fate = await fateOf(target, open);
    return fate !== 'open' || signal.aborted || systemClock.now() - start > limitMs;
  };
  if ((await engine.readerPid()) === null) await engine.runJobs(isOverAfter(hereMs));
  else if (!waits) return 'left';
  // Also where a process began to stream while it was done here: the jobs are that one's then.
  const isOver = isOverAfter(timeoutMs);
  while (!(await isOver())) await systemClock.sleep(LOOK_MS, signal);
  return fate;
}

async function fateOf(
  target: pg.ClientBase,
  open: readonly JobProgress[],
): Promise<'done' | 'open' | 'stopped'> {
  if (open.length === 0) return 'done';
  const inactive = await inactiveStates(target);
  return open.every(({ entity }) => inactive.has(entity)) ? 'stopped' : 'open';
}
