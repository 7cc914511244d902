import { tmpdir } from 'node:os';
import { loadMirror } from '../../backfill/load.ts';
import { buildConfig } from '../../cli/build-config.ts';
import { chooseCapture } from '../../cli/choose-capture.ts';
import { systemClock } from '../../cli/clock.ts';
import type { Config } from '../../cli/config.ts';
import { Engine } from '../../cli/engine.ts';
import { withinMemory } from '../../cli/memory-guard.ts';
import { readSettings } from '../../cli/read-settings.ts';
import { PAGE_ROWS } from '../../proof/prove-target.ts';
import { withClient } from '../../connectors/postgres/connection.ts';
import { openJobs } from '../../consumers/jobs.ts';
import { verifyTarget } from '../../proof/target/verify-target.ts';
import mapping from '../../transforms/mapping.ts';
import { peakMemory } from './machine.ts';
import { profiled } from './profiler.ts';
import { Recorder } from './recorder.ts';
import type { FromWorker, MemorySample, Task, ToWorker, WorkerReport } from './worker-task.ts';

// The engine in a process of its own, with the settings that users get, on one task.

const stop = new AbortController();

process.on('message', (message: ToWorker) => {
  if (message === 'stop') stop.abort();
  else void answer(message);
});

async function answer(task: Task): Promise<void> {
  tell(
    await perform(task).then(
      (report): FromWorker => ({ kind: 'done', report }),
      (error: unknown): FromWorker => ({ kind: 'failed', message: explain(error) }),
    ),
  );
}

/** Only our own machine's made-up rows are in these databases, so the cause may be shown. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `\ncaused by ${explain(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

function tell(message: FromWorker): void {
  process.send?.(message, () => process.disconnect());
}

async function perform(task: Task): Promise<WorkerReport> {
  const config = configOf(task);
  const recorder = new Recorder();
  const { log } = chooseCapture(
    config,
    mapping,
    task.log === undefined ? {} : { from: 'kafka' },
    recorder,
  );
  const context = { config, mapping, observer: recorder, clock: systemClock, ...log };
  // Only who settles may go over from the slot to the log.
  const engine = await Engine.open(context, log.log === undefined ? 'look' : 'settle');
  const cpu = process.cpuUsage();
  const start = performance.now();
  const memory: MemorySample[] = [];
  const sampling = setInterval(() => memory.push(memoryNow(start)), MEMORY_MS);
  await profiled(task.profile, () => work(task, config, engine, recorder));
  clearInterval(sampling);
  const end = task.work.kind === 'stream' ? (recorder.lastCommitAt ?? start) : performance.now();
  const { user, system } = process.cpuUsage(cpu);
  return {
    seconds: (end - start) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakMemoryBytes: peakMemory(process.pid),
    memory,
    events: recorder.events,
    batches: recorder.batches,
    phaseMs: recorder.phaseMs,
    told: recorder.told,
  };
}

const MEMORY_MS = 10_000;

function memoryNow(start: number): MemorySample {
  const { rss, heapUsed } = process.memoryUsage();
  const [residentMb, heapMb] = [rss / 1024 / 1024, heapUsed / 1024 / 1024];
  return { atSeconds: (performance.now() - start) / 1000, residentMb, heapMb };
}

async function work(
  { work }: Task,
  config: Config,
  engine: Engine,
  recorder: Recorder,
): Promise<void> {
  switch (work.kind) {
    case 'load':
      return load(config, engine, recorder);
    case 'backfill':
      return engine.backfill(stop.signal);
    case 'verify-target':
      return verify(config, engine, recorder);
    case 'jobs':
      return runJobs(config, engine);
    case 'stream':
      return streamUntil(engine, recorder, work.events);
  }
}

function configOf({ sourceUrl, targetUrl, log = {} }: Task): Config {
  const plain = (url: string) => `${url}?sslmode=disable`;
  const reading = readSettings({
    flags: {},
    environment: { SOURCE_URL: plain(sourceUrl), TARGET_URL: plain(targetUrl), ...log },
    workFolder: tmpdir(),
    envFile: null,
  });
  return buildConfig(reading, tmpdir());
}

async function load(config: Config, engine: Engine, observer: Recorder): Promise<void> {
  const { consistentPoint } = engine.position;
  await loadMirror({
    source: config.source,
    target: config.target,
    tables: [...engine.model.mirror.values()],
    consistentPoint,
    workers: config.backfillWorkers,
    chunkRows: config.chunkRows,
    observer,
    clock: systemClock,
    signal: stop.signal,
  });
}

/** Within the memory that the command keeps to. */
async function verify(config: Config, engine: Engine, observer: Recorder): Promise<void> {
  const proof = await withinMemory(config.memoryLimitBytes, () =>
    verifyTarget({
      target: config.target,
      model: engine.model,
      entities: null,
      workers: config.backfillWorkers,
      pageRows: PAGE_ROWS,
      maxListed: 10,
      settleMs: 0,
      observer,
      clock: systemClock,
      signal: stop.signal,
    }),
  );
  if (!proof.agrees || !proof.isSettled) throw new Error(JSON.stringify(proof));
}

async function runJobs(config: Config, engine: Engine): Promise<void> {
  await withClient(config.target, 'jobs', (client) =>
    engine.runJobs(async () => (await openJobs(client)) === 0),
  );
}

async function streamUntil(
  engine: Engine,
  recorder: Recorder,
  events: number | null,
): Promise<void> {
  if (events !== null) recorder.atEvents(events, () => stop.abort());
  await engine.stream(stop.signal);
}
