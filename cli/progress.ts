import type { MultiBar, SingleBar } from 'cli-progress';
import type { Clock } from '../core/ports.ts';
import { formatCount, formatSeconds } from './units.ts';

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

/** On a terminal: one bar per step and subject, with rows per second and the time left. */
export function barProgress(options: {
  readonly clock: Pick<Clock, 'now'>;
  readonly stream: NodeJS.WriteStream;
  /** Loaded by the caller, and only on a terminal. */
  readonly makeBars: (format: BarFormat) => MultiBar;
}): Progress {
  const tasks = new Map<string, { bar: SingleBar; rate: Rate }>();
  let bars: MultiBar | null = null;
  const progress: Progress = {
    update(step, subject, done, total) {
      const key = `${step} ${subject}`;
      bars ??= options.makeBars(barLine);
      let task = tasks.get(key);
      if (task === undefined) {
        task = { rate: new Rate(), bar: bars.create(total ?? 0, done, { step, subject }) };
        tasks.set(key, task);
      }
      task.rate.add(options.clock.now(), done);
      // An estimate may have been too small.
      task.bar.setTotal(Math.max(total ?? 0, done));
      task.bar.update(done, { step, subject, total, perSecond: task.rate.perSecond() });
      if (total !== null && done >= total) task.bar.stop();
      if ([...tasks.values()].every(({ bar }) => !bar.isActive)) progress.close();
    },
    write(line) {
      if (bars === null) options.stream.write(line);
      else bars.log(line.endsWith('\n') ? line : `${line}\n`);
    },
    close() {
      bars?.stop();
      bars = null;
      tasks.clear();
    },
  };
  return progress;
}

type BarState = { readonly value: number; readonly progress: number };
type BarPayload = {
  readonly step: string;
  readonly subject: string;
  readonly total?: number | null;
  readonly perSecond?: number | null;
};
export type BarFormat = (options: unknown, state: BarState, payload: BarPayload) => string;

const WIDTH = 24;

/** `load  dispatch_task        ████████░░░░  54%  2,700,000 rows  210,000/s  11 s left`. */
export const barLine: BarFormat = (_options, state, payload) => {
  const { step, subject, total = null, perSecond = null } = payload;
  const share = total === null || total === 0 ? state.progress : Math.min(1, state.value / total);
  const full = Math.round(share * WIDTH);
  const left = secondsLeft(state.value, total, perSecond);
  return [
    `${step.padEnd(7)}${subject.padEnd(28)}`,
    '█'.repeat(full) + '░'.repeat(WIDTH - full),
    `${Math.floor(share * 100)}%`.padStart(4),
    `${formatCount(state.value)} rows`.padStart(17),
    perSecond === null ? '' : `${formatCount(perSecond)}/s`.padStart(11),
    left === null || share === 1 ? '' : `${formatSeconds(left)} left`,
  ]
    .join(' ')
    .trimEnd();
};
