import pino from 'pino';
import type { BatchReport, Facts, Observer } from '../core/ports.ts';
import { BatchSummary } from './batch-summary.ts';
import type { Config } from './config.ts';
import type { Progress } from './progress.ts';
import type { Redact } from './redact.ts';

export type LogOptions = {
  readonly level: Config['logLevel'];
  readonly format: 'json' | 'pretty';
  readonly colour: boolean;
  /** Takes whole lines, with the line end. */
  readonly write: (line: string) => void;
  readonly redact: Redact;
};

/** Names under which a secret might be handed over by mistake. */
const SECRET_NAMES = ['password', 'secret', 'token', 'connectionString', 'url'];

/** The log: one line per decision, to stderr, with `event` first. */
export async function createLog(options: LogOptions): Promise<pino.Logger> {
  const write = (line: string) => options.write(options.redact(line));
  const stream = options.format === 'json' ? { write } : await readable(options, write);
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...SECRET_NAMES], censor: '***' },
    },
    stream,
  );
}

/** `12:00:01 info  slot.created slot=tandem`. Loaded only where a person reads along. */
async function readable(options: LogOptions, write: (line: string) => void) {
  const { default: pretty } = await import('pino-pretty');
  const { Writable } = await import('node:stream');
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      write(chunk.toString());
      done();
    },
  });
  return pretty({
    destination,
    sync: true,
    colorize: options.colour,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,name,event',
    hideObject: true,
    messageFormat: (line) => {
      const { event, ...facts } = line;
      const shown = Object.entries(facts)
        .filter(([name]) => !['level', 'time', 'msg'].includes(name))
        .map(([name, value]) => `${name}=${factText(value)}`);
      return [factText(event ?? line['msg'] ?? ''), ...shown].join(' ');
    },
  });
}

function factText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

/** After these nothing more is shown of how far a step is. */
const ENDS_OF_PROGRESS: ReadonlySet<string> = new Set(['backfill complete', 'streaming']);

/** Hands what the engine tells to the log and the progress display. */
export function createObserver(
  log: pino.Logger,
  progress: Progress,
  summarySeconds = 10,
): Observer {
  const summary = new BatchSummary(summarySeconds * 1000);
  return {
    event(name, facts = {}, level = 'info') {
      // Its total was an estimate; now it is known to be over.
      if (name === 'derived') finish(progress, facts);
      if (ENDS_OF_PROGRESS.has(name)) progress.close();
      log[level]({ event: name, ...plainFacts(facts) });
    },
    progress(step, subject, done, total) {
      progress.update(step, subject, done, total);
    },
    batch(report) {
      if (log.isLevelEnabled('debug')) log.debug(batchFacts(report));
      const facts = summary.add(report, Date.now());
      if (facts !== null) log.info({ event: 'streamed', ...plainFacts(facts) });
    },
  };
}

function finish(progress: Progress, { entity, roots }: Facts): void {
  progress.update('derive', String(entity), Number(roots), Number(roots));
}

/** A bigint is text: an LSN is beyond what JSON numbers hold in most readers. */
function plainFacts(facts: Facts): Record<string, string | number | boolean | null> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? value.toString() : value,
    ]),
  );
}

function batchFacts(report: BatchReport): Record<string, unknown> {
  return {
    event: 'batch.committed',
    changes: report.events,
    bytes: report.transactionsBytes,
    rows: Object.fromEntries(report.rowsByEntity),
    ms: report.phaseMs,
    position: report.position,
    heartbeatLagMs: report.heartbeatLagMs,
  };
}
