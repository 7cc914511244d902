import type pg from 'pg';
import type { JobProgress } from '../consumers/jobs.ts';
import { awaitJobs, type JobsFate } from './await-jobs.ts';
import type { Context } from './command.ts';
import type { Engine } from './engine.ts';

/** Sees that jobs are done, and shows how far they are. */
export async function finishJobs(
  context: Context,
  { engine, target }: { readonly engine: Engine; readonly target: pg.Client },
  asked: { readonly jobs: readonly string[]; readonly waits: boolean; readonly timeoutMs: number },
): Promise<JobsFate> {
  const observer = await context.observer();
  let before: readonly JobProgress[] = [];
  const look = (open: readonly JobProgress[]) => {
    for (const { entity, done, of } of open) observer.progress('jobs', entity, done, of);
    for (const { id, entity, done, of } of before) {
      if (!open.some((job) => job.id === id)) observer.progress('jobs', entity, of ?? done, of);
    }
    before = open;
  };
  return await awaitJobs(engine, target, { ...asked, signal: context.stopSignal(), look });
}
