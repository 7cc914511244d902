import type { Clock } from '../core/ports.ts';

/** Shows how far long steps are. */
export interface Progress {
  update(step: string, subject: string, done: number, total: number | null): void;
  /** Writes a line of the log above whatever is on the screen. */
  write(line: string): void;
  /** Leaves the terminal as it should be. May be called twice. */
  close(): void;
}

const WINDOW_MS = 10_000;
type Sample = { readonly at: number; readonly done: number };

/** Rows per second over the last seconds: the mean since the start says little after a pause. */
export class Rate {
  #samples: Sample[] = [];

  add(at: number, done: number): void {
    this.#samples.push({ at, done });
    const oldest = this.#samples.findIndex((sample) => sample.at >= at - WINDOW_MS);
    // One sample from before the window stays, so that the window is covered.
    if (oldest > 1) this.#samples.splice(0, oldest - 1);
  }

  perSecond(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return null;
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }
}

/** Seconds until `total` at this rate; null where that cannot be said. */
export function secondsLeft(
  done: number,
  total: number | null,
  rate: number | null,
): number | null {
  if (total === null || rate === null || rate <= 0) return null;
  return Math.max(0, total - done) / rate;
}

export type ProgressLine = {
  readonly step: string;
  readonly subject: string;
  readonly done: number;
  readonly total: number | null;
  readonly perSecond: number | null;
  readonly secondsLeft: number | null;
};

/** Without a terminal: one line per step and subject every few seconds, and one when it is done. */
export function plainProgress(options: {
  readonly clock: Pick<Clock, 'now'>;
  readonly everyMs?: number;
  readonly report: (line: ProgressLine) => void;
  readonly write: (line: string) => void;
}): Progress {
  const { clock, everyMs = 5000, report } = options;
  const tasks = new Map<string, { rate: Rate; reportedAt: number; finished: boolean }>();
  return {
    update(step, subject, done, total) {
      const key = `${step} ${subject}`;
      const now = clock.now();
      const task = tasks.get(key) ?? { rate: new Rate(), reportedAt: now, finished: false };
      tasks.set(key, task);
      task.rate.add(now, done);
      const isDone = total !== null && done >= total;
      if (isDone ? task.finished : now - task.reportedAt < everyMs) return;
      task.finished = isDone;
      task.reportedAt = now;
      const perSecond = task.rate.perSecond();
      report({
        step,
        subject,
        done,
        total,
        perSecond,
        secondsLeft: secondsLeft(done, total, perSecond),
      });
    },
    write: (line) => options.write(line),
    close: () => undefined,
  };
}
