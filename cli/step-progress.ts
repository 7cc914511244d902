import type { MultiBar, SingleBar } from 'cli-progress';
import type { Clock } from '../core/ports.ts';
import { Rate, secondsLeft, type Progress } from './progress.ts';
import { formatCount, formatSeconds } from './units.ts';

/** What a step counts: its subjects, and the things that are done of each. */
type Units = { readonly subjects: string; readonly items: string };
const UNITS: Readonly<Record<string, Units>> = {
  create: { subjects: 'tables', items: 'rows' },
  load: { subjects: 'tables', items: 'rows' },
  derive: { subjects: 'entities', items: 'rows' },
  verify: { subjects: 'tables', items: 'rows' },
  jobs: { subjects: '', items: 'done' },
};
const OTHER: Units = { subjects: 'parts', items: 'rows' };
const unitsOf = (step: string) => UNITS[step] ?? OTHER;

type Subject = { done: number; total: number | null; rate: Rate; bar: SingleBar | null };
type Step = { bar: SingleBar; rate: Rate; subjects: Map<string, Subject> };

/**
 * On a terminal: a line per step that counts what is finished, which stays, and under it a bar for
 * each subject that is being worked on, with rows per second and the time left.
 *
 * A bar per table would be as many lines as the mapping has tables, more than a screen holds.
 */
export function stepProgress(options: {
  readonly clock: Pick<Clock, 'now'>;
  readonly stream: NodeJS.WriteStream;
  /** Loaded by the caller, and only on a terminal. */
  readonly bars: () => MultiBar;
}): Progress {
  const { clock, stream } = options;
  const steps = new Map<string, Step>();
  let bars: MultiBar | null = null;
  const draw = (bar: SingleBar, line: string) => bar.update(0, { line });
  const columns = () => stream.columns ?? 80;

  function stepOf(name: string): Step {
    const known = steps.get(name);
    if (known !== undefined) return known;
    bars ??= options.bars();
    const step = { bar: bars.create(1, 0, { line: '' }), rate: new Rate(), subjects: new Map() };
    steps.set(name, step);
    return step;
  }

  function drawSubject(name: string, subject: Subject): void {
    const { done, total, rate } = subject;
    if (total !== null && done >= total) {
      if (subject.bar !== null) bars?.remove(subject.bar);
      subject.bar = null;
      return;
    }
    subject.bar ??= bars?.create(1, 0, { line: '' }) ?? null;
    const perSecond = rate.perSecond();
    const line = subjectLine({ name, done, total, perSecond }, columns());
    if (subject.bar !== null) draw(subject.bar, line);
  }

  return {
    update(stepName, name, done, total) {
      const step = stepOf(stepName);
      const subject = step.subjects.get(name) ?? { done, total, rate: new Rate(), bar: null };
      step.subjects.set(name, Object.assign(subject, { done, total }));
      subject.rate.add(clock.now(), done);
      drawSubject(name, subject);
      const all = [...step.subjects.values()];
      const sum = all.reduce((rows, it) => rows + it.done, 0);
      step.rate.add(clock.now(), sum);
      const finished = all.filter((it) => it.bar === null).length;
      const perSecond = step.rate.perSecond();
      draw(step.bar, stepLine({ name: stepName, finished, done: sum, perSecond }, columns()));
    },
    write(line) {
      if (bars === null) stream.write(line);
      else bars.log(line.endsWith('\n') ? line : `${line}\n`);
    },
    close() {
      // What was logged a moment ago is still in a buffer, which `stop` would drop.
      bars?.update();
      bars?.stop();
      bars = null;
      steps.clear();
    },
  };
}

/** Makes the bars of `stepProgress`. */
export async function loadBars(stream: NodeJS.WriteStream): Promise<() => MultiBar> {
  const { default: library } = await import('cli-progress');
  return () =>
    new library.MultiBar({
      format: (_options, _state, payload: { readonly line: string }) => payload.line,
      stream,
      hideCursor: true,
      clearOnComplete: false,
      stopOnComplete: false,
      fps: 8,
      // Signals are ours: a library that ends the process would cut a batch off.
      gracefulExit: false,
    });
}

/** What stands right of label and bar: share, rows, rate and time left. */
const RIGHT = 46;

function widths(columns: number): { readonly label: number; readonly bar: number } {
  const room = Math.max(24, Math.min(columns - 1, 100) - RIGHT);
  const label = Math.min(30, Math.ceil(room * 0.6));
  return { label, bar: Math.min(24, room - label - 1) };
}

/** `  load   27 tables                           15,340 rows   21,000/s`. */
export function stepLine(
  step: {
    readonly name: string;
    readonly finished: number;
    readonly done: number;
    readonly perSecond: number | null;
  },
  columns: number,
): string {
  const { label, bar } = widths(columns);
  const { subjects, items } = unitsOf(step.name);
  const count = subjects === '' ? '' : `${step.finished} ${subjects}`;
  return [
    fit(`  ${step.name.padEnd(7)}${count}`, label),
    ' '.repeat(bar + 5),
    ...numbers(step.done, items, items === 'rows' ? step.perSecond : null),
  ]
    .join(' ')
    .trimEnd();
}

/** `    shop_order      ████████░░░░  54%  2,700,000 rows  210,000/s  11 s left`. */
export function subjectLine(
  subject: {
    readonly name: string;
    readonly done: number;
    readonly total: number | null;
    readonly perSecond: number | null;
  },
  columns: number,
): string {
  const { done, total, perSecond } = subject;
  const { label, bar } = widths(columns);
  const share = total === null || total === 0 ? 0 : Math.min(1, done / total);
  const full = Math.round(share * bar);
  const left = secondsLeft(done, total, perSecond);
  return [
    fit(`    ${subject.name}`, label),
    `${'█'.repeat(full)}${'░'.repeat(bar - full)}${`${Math.floor(share * 100)}%`.padStart(5)}`,
    ...numbers(done, 'rows', perSecond),
    left === null ? '' : `${formatSeconds(left)} left`,
  ]
    .join(' ')
    .trimEnd();
}

function numbers(done: number, items: string, perSecond: number | null): string[] {
  const rate = perSecond === null ? '' : `${formatCount(perSecond)}/s`;
  return [`${formatCount(done)} ${items}`.padStart(15), rate.padStart(11)];
}

const fit = (text: string, width: number) =>
  text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
