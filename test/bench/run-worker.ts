import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromWorker, Task, WorkerReport } from './worker-task.ts';
import type { World } from './world.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
const LOADER = import.meta.resolve('tsx');

/** A worker at its task. */
export class Worker {
  readonly #child: ChildProcess;
  readonly report: Promise<WorkerReport>;

  constructor(world: World, task: Task) {
    this.#child = fork(WORKER, [], {
      execArgv: ['--import', LOADER],
      env: { PATH: process.env['PATH'] },
    });
    world.adopt(this.#child);
    this.report = reportOf(this.#child);
    this.report.catch(() => undefined);
    this.#child.send(task);
  }

  /** Ends a stream that has no end of its own. */
  async stop(): Promise<WorkerReport> {
    if (this.#child.connected) this.#child.send('stop');
    return this.report;
  }
}

/** A task from start to end, in a fresh process. */
export async function runWorker(world: World, task: Task): Promise<WorkerReport> {
  return new Worker(world, task).report;
}

/** Settles when the process has ended, so that its sessions are closed and its profile is written. */
function reportOf(child: ChildProcess): Promise<WorkerReport> {
  return new Promise((resolve, reject) => {
    let answer: FromWorker | null = null;
    child.on('message', (message: FromWorker) => (answer = message));
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (answer?.kind === 'done') resolve(answer.report);
      else if (answer?.kind === 'failed') reject(new Error(`the engine failed: ${answer.message}`));
      else reject(new Error(`the worker ended with ${code ?? signal}`));
    });
  });
}
