import { createInterface } from 'node:readline/promises';
import type { Observer } from '../core/ports.ts';
import type { Context, Output } from './command.ts';
import type { Config, Settings } from './config.ts';
import type { ImportModule, LoadedMapping } from './load-mapping.ts';
import type { Progress } from './progress.ts';
import type { Reading } from './read-settings.ts';
import type { Redact } from './redact.ts';

export type Streams = {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
};
type ContextOptions = {
  readonly streams: Streams;
  readonly workFolder: string;
  readonly importMapping: ImportModule;
  readonly reading: () => Reading;
  readonly redact: () => Redact;
};

/** The context of one run; `close` leaves the terminal as it was. */
export function createContext(options: ContextOptions): Context & { close(): void } {
  const { streams, workFolder } = options;
  const config = once(async (): Promise<Config> => {
    const { buildConfig, settleTls } = await import('./build-config.ts');
    const built = buildConfig(options.reading(), workFolder);
    const [source, target] = await Promise.all([
      settleTls(built.source, built.sourceTls),
      settleTls(built.target, built.targetTls),
    ]);
    return { ...built, source, target };
  });
  const mapping = once(async (): Promise<LoadedMapping> => {
    const { loadMapping } = await import('./load-mapping.ts');
    const { MAPPING = null, MIGRATIONS = null } = await validSettings(options.reading());
    const { importMapping } = options;
    return loadMapping({ file: MAPPING, migrations: MIGRATIONS, workFolder, importMapping });
  });
  let progress: Progress | undefined;
  const observer = once(async (): Promise<Observer> => {
    const settings = await validSettings(options.reading());
    const made = await makeObserver(options, settings);
    progress = made.progress;
    return made.observer;
  });
  let stop: StopSignal | undefined;

  return {
    out: makeOutput(streams.stdout, options.redact),
    notes: makeOutput(streams.stderr, options.redact),
    workFolder,
    reading: options.reading,
    config,
    mapping,
    observer,
    stopSignal: () => (stop ??= listenForSignals()).signal,
    confirm: (question) => ask(streams, question),
    close() {
      progress?.close();
      stop?.release();
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

async function validSettings(reading: Reading) {
  if (reading.settings !== null) return reading.settings;
  const { configError } = await import('./read-settings.ts');
  throw configError(reading.problems);
}

export function makeOutput(stream: NodeJS.WriteStream, redact: () => Redact): Output {
  return {
    isTerminal: stream.isTTY === true,
    line: (text = '') => void stream.write(`${redact()(text)}\n`),
  };
}

async function makeObserver(
  { streams, redact }: ContextOptions,
  settings: Settings,
): Promise<{ observer: Observer; progress: Progress }> {
  const { createLog, createObserver } = await import('./log.ts');
  const { plainProgress } = await import('./progress.ts');
  const { loadBars, stepProgress } = await import('./step-progress.ts');
  const { stderr } = streams;
  const isTerminal = stderr.isTTY === true;
  const { LOG_LEVEL: level, LOG_FORMAT: chosen, STATUS_SECONDS: summarySeconds } = settings;
  const format = chosen === 'auto' ? (isTerminal ? 'pretty' : 'json') : chosen;
  const clock = { now: () => Date.now() };
  const progress = isTerminal
    ? stepProgress({ clock, stream: stderr, bars: await loadBars(stderr) })
    : plainProgress({
        clock,
        write: (line) => void stderr.write(line),
        report: (line) => observer.event('progress', { ...line, ...rounded(line) }),
      });
  const log = await createLog({
    level,
    format,
    colour: isTerminal && !process.env['NO_COLOR'],
    write: (line) => progress.write(line),
    redact: (text) => redact()(text),
  });
  const observer = createObserver(log, progress, summarySeconds);
  return { observer, progress };
}

function rounded(line: { perSecond: number | null; secondsLeft: number | null }) {
  const round = (value: number | null) => (value === null ? null : Math.round(value));
  return { perSecond: round(line.perSecond), secondsLeft: round(line.secondsLeft) };
}

type StopSignal = { readonly signal: AbortSignal; readonly release: () => void };

/** The first signal asks, the second ends the process at once. */
function listenForSignals(): StopSignal {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
    controller.abort(signal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const release = () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  return { signal: controller.signal, release };
}

async function ask({ stdin, stderr }: Streams, question: string): Promise<boolean | null> {
  if (stdin.isTTY !== true || stderr.isTTY !== true) return null;
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
