import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { plainProgress, type Progress, type ProgressLine } from '../cli/progress.ts';
import { loadBars, stepProgress } from '../cli/step-progress.ts';
import { formatCount, formatSeconds } from '../cli/units.ts';
import { checkCounts, checkRemarks, type CheckReport } from './check-lines.ts';
import { LEGACY_TABLES } from './legacy/schema.ts';
import { generateLegacy } from './legacy/generate.ts';
import type { TrafficReport } from './legacy/traffic.ts';
import { logText, parseLogLine } from './log-line.ts';
import type { Settings } from './child.ts';
import { startPostgres, type PostgresServer } from './servers/postgres.ts';
import { runTandem, StepFailed, type Servers, type Stage } from './stage.ts';
import { Stream } from './stream.ts';
import { Traffic } from './traffic.ts';
import { isAlive } from './servers/is-alive.ts';

export const HEARTBEAT_SECONDS = 1;
const CHANGES_PER_SECOND = 300;

/** Roomy enough that no checkpoint gets in the way of the load; the rest is PostgreSQL's default. */
const SERVER_SETTINGS = { max_wal_size: '4GB', max_slot_wal_keep_size: '4GB' };

export async function startServers(stage: Stage): Promise<Servers> {
  const { screen, interruption } = stage;
  screen.step(
    'Start two PostgreSQL servers',
    'npm brought them. They listen on this machine only; their data is in a temporary folder.',
  );
  const [source, target] = await interruption.guard(
    Promise.all([startServer(stage), startServer(stage)]),
  );
  screen.line(`legacy   ${source.host}:${source.port}`);
  screen.line(`target   ${target.host}:${target.port}`);
  screen.done('both are up');
  return { source, target, settings: settingsFor(source, target) };
}

async function startServer({ cleanup }: Stage): Promise<PostgresServer> {
  const starting = startPostgres({ settings: SERVER_SETTINGS });
  // Also one that comes up only after the demo was interrupted.
  cleanup.defer(async () => {
    const server = await starting.catch(() => undefined);
    await server?.stop();
  });
  return starting;
}

function settingsFor(source: PostgresServer, target: PostgresServer): Settings {
  return {
    SOURCE_URL: source.connectionString(),
    TARGET_URL: target.connectionString(),
    HEARTBEAT_SECONDS: String(HEARTBEAT_SECONDS),
  };
}

export async function createLegacy(stage: Stage, { source }: Servers): Promise<void> {
  const { screen, interruption, options } = stage;
  screen.step(
    'Create the legacy system',
    `${LEGACY_TABLES.length} tables as Django made them, with invented people and the flaws of a system that has grown for years.`,
  );
  const progress = await makeProgress(stage);
  const rows = new Map<string, number>();
  try {
    await interruption.guard(
      generateLegacy({
        connectionString: source.connectionString(),
        seed: options.seed,
        scale: options.scale,
        onProgress: (table, done, total) => {
          rows.set(table, done);
          progress.update('create', table, done, total);
        },
      }),
    );
  } finally {
    progress.close();
  }
  const total = [...rows.values()].reduce((sum, count) => sum + count, 0);
  screen.done(`${formatCount(total)} rows, scale ${options.scale}, seed ${options.seed}`);
}

async function makeProgress({ screen }: Stage): Promise<Progress> {
  const clock = { now: () => Date.now() };
  if (screen.isTerminal) {
    const stream = process.stdout;
    return stepProgress({ clock, stream, bars: await loadBars(stream) });
  }
  return plainProgress({
    clock,
    write: (line) => screen.line(line),
    report: (line) => {
      if (line.total === null || line.done < line.total) screen.line(progressText(line));
    },
  });
}

function progressText({
  step,
  subject,
  done,
  total,
  perSecond,
  secondsLeft,
}: ProgressLine): string {
  return [
    `${step} ${subject}: ${formatCount(done)}${total === null ? '' : ` of ${formatCount(total)}`} rows`,
    perSecond === null ? '' : `${formatCount(perSecond)}/s`,
    secondsLeft === null ? '' : `${formatSeconds(secondsLeft)} left`,
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** Long enough to see that it works. */
const FIRST_CHANGES = 100;

export async function startTrafficStep(stage: Stage, { source }: Servers): Promise<Traffic> {
  const { screen, interruption, cleanup, options } = stage;
  screen.step(
    'Let the legacy application work',
    'Orders, payments, logins, deletions: it goes on during all that follows, as nobody can stop it for a migration.',
  );
  const traffic = new Traffic({
    connectionString: source.connectionString(),
    seed: options.seed,
    changesPerSecond: CHANGES_PER_SECOND,
    onFailure: (error) => interruption.interrupt({ kind: 'failed', error }),
  });
  cleanup.defer(async () => void (await traffic.stop()));
  while (traffic.changes < FIRST_CHANGES) await interruption.guard(pause(50));
  screen.done(`about ${CHANGES_PER_SECOND} changes a second from now on`);
  return traffic;
}

export async function check(stage: Stage, servers: Servers): Promise<void> {
  const { screen } = stage;
  screen.step(
    'Check both databases',
    'Before anything is changed: versions, settings, privileges, tables, the mapping.',
  );
  const lines: string[] = [];
  const print = () => {
    const report = JSON.parse(lines.join('\n')) as CheckReport;
    for (const line of checkCounts(report)) screen.line(line);
    for (const remark of checkRemarks(report)) screen.warn(remark);
  };
  try {
    await runTandem(stage, ['check', '--json'], {
      shown: ['check'],
      settings: servers.settings,
      onOutput: (line) => lines.push(line),
      onLog: (line) => screen.line(line),
    });
  } catch (error) {
    if (error instanceof StepFailed && lines.length > 0) print();
    throw error;
  }
  print();
  screen.done('nothing stands in the way');
}

export async function setup(stage: Stage, servers: Servers): Promise<void> {
  const { screen } = stage;
  screen.step(
    'Set up',
    'The target gets its tables and our bookkeeping; the source gets a publication and a slot, which from here on keeps every change for us.',
  );
  const lines: string[] = [];
  await runTandem(stage, ['setup'], {
    settings: servers.settings,
    onOutput: (line) => lines.push(line),
    onLog: (line) => screen.line(line),
  });
  for (const line of shortened(lines.filter((it) => !it.startsWith('next:')))) screen.line(line);
  screen.done();
}

/** Lines about the same thing, as migrations are, become one. */
function shortened(lines: readonly string[]): string[] {
  const groups: { readonly topic: string; readonly lines: string[] }[] = [];
  for (const line of lines) {
    const topic = line.split(/ {2,}/).slice(0, 2).join(' ');
    const last = groups.at(-1);
    if (last?.topic === topic) last.lines.push(line);
    else groups.push({ topic, lines: [line] });
  }
  return groups.map(({ lines: [first = '', ...more] }) =>
    more.length === 0 ? first : `${first} and ${more.length} more`,
  );
}

export async function backfill(stage: Stage, servers: Servers): Promise<void> {
  const { screen } = stage;
  screen.step(
    'Backfill',
    'First a copy of the legacy tables as they are (load), then the new model from it (derive). Changes made meanwhile wait in the slot.',
  );
  const started = Date.now();
  const totals = new Map<string, Map<string, number>>();
  await runTandem(stage, ['backfill'], {
    settings: { ...servers.settings, LOG_LEVEL: screen.isTerminal ? 'warn' : 'info' },
    onOutput: () => undefined,
    // On a terminal it draws its own bars.
    ...(screen.isTerminal ? {} : { onLog: (line: string) => readBackfill(screen, totals, line) }),
  });
  for (const [step, subjects] of totals) {
    const rows = [...subjects.values()].reduce((sum, count) => sum + count, 0);
    const what = step === 'load' ? 'tables' : 'entities';
    screen.line(`${step.padEnd(7)}${subjects.size} ${what}, ${formatCount(rows)} rows`);
  }
  const seconds = (Date.now() - started) / 1000;
  screen.done(seconds > 10 ? `complete in ${formatSeconds(seconds)}` : 'complete');
}

function readBackfill(
  screen: Stage['screen'],
  totals: Map<string, Map<string, number>>,
  text: string,
): void {
  const line = parseLogLine(text);
  if (line === null || line.level === 'warn' || line.level === 'error') {
    screen.line(line === null ? text : logText(line));
    return;
  }
  const count = (step: string, subject: unknown, rows: unknown) => {
    const subjects = totals.get(step) ?? new Map<string, number>();
    totals.set(step, subjects.set(String(subject), Number(rows)));
  };
  if (line.event === 'derived') count('derive', line.facts['entity'], line.facts['roots']);
  if (line.event !== 'progress') return;
  const progress = line.facts as unknown as ProgressLine;
  if (progress.step === 'load') count('load', progress.subject, progress.done);
  if (progress.total !== null && progress.done < progress.total) {
    screen.line(progressText(progress));
  }
}

export async function startStream(
  stage: Stage,
  servers: Servers,
  args: readonly string[],
): Promise<Stream> {
  const { screen, interruption, options } = stage;
  screen.step(
    'Follow the legacy database live',
    `Every commit there becomes a commit here, within moments. Watch it for ${options.seconds} s.`,
  );
  screen.command(args);
  const stream = new Stream(stage, servers, args);
  await interruption.guard(stream.started);
  // A consumer is given its partitions first, and finds what was written during the backfill.
  if (args.includes('--from')) await interruption.guard(stream.moved);
  return stream;
}

/** Stops the traffic and waits until the target has all of it. */
export async function catchUp(
  stage: Stage,
  servers: Servers,
  traffic: Traffic,
): Promise<TrafficReport> {
  const { screen, interruption } = stage;
  screen.step(
    'Stop the traffic, and wait until the target has all of it',
    'Caught up means: all that the source had committed when asked is visible in the target.',
  );
  const report = await interruption.guard(traffic.stop());
  const of = (counts: Readonly<Record<string, number>>) =>
    formatCount(Object.values(counts).reduce((sum, count) => sum + count, 0));
  screen.line(
    `traffic  ${formatCount(report.transactions)} transactions: ${of(report.inserts)} inserts, ${of(report.updates)} updates, ${of(report.deletes)} deletes`,
  );
  await runTandem(stage, ['status', '--caught-up'], {
    settings: servers.settings,
    onOutput: (line) => screen.line(line),
    onLog: (line) => screen.line(line),
  });
  screen.done();
  return report;
}

const STOP_SECONDS = 5;

/** SIGTERM, and proof that it was enough. */
export async function stopStream({ screen }: Stage, stream: Stream): Promise<void> {
  screen.step(
    'Stop',
    'One SIGTERM: the batch in hand is committed or rolled back. Started again, it would go on from there.',
  );
  screen.line(screen.style('cyan', `$ kill ${stream.pid}`));
  const start = Date.now();
  const { code, signal } = await stream.stop();
  const seconds = (Date.now() - start) / 1000;
  if (code !== 0 || seconds > STOP_SECONDS) {
    const how = code === null ? `by ${signal ?? 'a signal'}` : `with exit code ${code}`;
    throw new StepFailed(`tandem run ended ${how} after ${seconds.toFixed(1)} s`);
  }
  screen.line(`tandem run ended by itself with exit code 0, after ${seconds.toFixed(2)} s`);
}

/** What is still there of the servers after they were stopped; empty as it should be. */
export function leftovers(pids: readonly number[], folders: readonly string[]): string[] {
  return [
    ...pids.filter(isAlive).map((pid) => `process ${pid} still runs`),
    ...folders.filter((folder) => existsSync(folder)).map((folder) => `${folder} is still there`),
  ];
}
