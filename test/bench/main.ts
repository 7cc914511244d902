import { mkdirSync, writeFileSync } from 'node:fs';
import { Bench } from './bench.ts';
import { describeMachine, describeServer } from './machine.ts';
import { measureBackfill } from './measure-backfill.ts';
import { measureConsumers } from './measure-consumers.ts';
import { measureDecode } from './measure-decode.ts';
import { measureDerive } from './measure-derive.ts';
import { measureKafka } from './measure-kafka.ts';
import { measureLatency } from './measure-latency.ts';
import { measureLoad } from './measure-load.ts';
import { measureNative } from './measure-native.ts';
import { measureRecovery } from './measure-recovery.ts';
import { measureRelay } from './measure-relay.ts';
import { measureSmallTransactions } from './measure-small-transactions.ts';
import { measureSoak } from './measure-soak.ts';
import { measureReprocess } from './measure-reprocess.ts';
import { measureStream } from './measure-stream.ts';
import { measureVerifyTarget } from './measure-verify-target.ts';
import { measureVerify } from './measure-verify.ts';
import { parseOptions, USAGE, type Options, type Section } from './options.ts';
import { formatTable, type Line, type Measured } from './report.ts';
import { formatProfile } from './summarize-profile.ts';
import { World } from './world.ts';

// `npm run bench`: what the engine reaches on this machine, beside what the servers can do.

const MEASURE: Readonly<Record<Section, (bench: Bench) => Promise<Measured>>> = {
  backfill: measureBackfill,
  load: measureLoad,
  derive: measureDerive,
  reprocess: measureReprocess,
  'verify-target': measureVerifyTarget,
  verify: measureVerify,
  stream: measureStream,
  'small-transactions': measureSmallTransactions,
  latency: measureLatency,
  native: measureNative,
  recovery: measureRecovery,
  relay: measureRelay,
  soak: measureSoak,
  decode: measureDecode,
  kafka: measureKafka,
  consumers: measureConsumers,
};
/** These start from what a backfill leaves. */
const AFTER_BACKFILL: readonly Section[] = [
  'derive',
  'reprocess',
  'verify',
  'stream',
  'small-transactions',
  'latency',
  'native',
  'recovery',
  'soak',
  'kafka',
  'consumers',
];

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options.profile !== null) mkdirSync(options.profile, { recursive: true });
  const opening = World.create();
  const isStopped = closeOnSignal(opening);
  try {
    await measure(new Bench(await opening, options));
    return 0;
  } catch (error) {
    // After a signal the servers are gone in the middle of whatever was running.
    if (!isStopped()) console.error(error);
    return 1;
  } finally {
    await close(opening);
  }
}

/** Servers that are just starting are waited for; if they do not start, nothing is left of them. */
async function close(opening: Promise<World>): Promise<void> {
  const world = await opening.catch(() => null);
  await world?.close();
}

async function measure(bench: Bench): Promise<void> {
  const { world, options } = bench;
  bench.say(`two servers run; filling the source, scale ${options.scale}`);
  await world.fill(options.scale);
  const found: Found = {
    machine: describeMachine(),
    servers: {
      source: await describeServer(world.sourceUrl),
      target: await describeServer(world.targetUrl('postgres')),
    },
    results: {},
    lines: [],
  };
  const wanted = new Set(options.sections);
  if (AFTER_BACKFILL.some((section) => wanted.has(section))) wanted.add('backfill');
  try {
    for (const section of Object.keys(MEASURE) as Section[]) {
      if (!wanted.has(section)) continue;
      const { facts, lines } = await MEASURE[section](bench);
      found.results[section] = facts;
      found.lines.push(...lines);
    }
    bench.say('done');
  } finally {
    // Where a section fails, what the others took minutes to find is not lost.
    if (found.lines.length > 0) show(bench, found);
  }
}

type Found = {
  readonly machine: object;
  readonly servers: { readonly source: object; readonly target: object };
  readonly results: Partial<Record<Section, object>>;
  readonly lines: Line[];
};

function show({ options, profiles }: Bench, found: Found): void {
  const { scale, rounds, updates, json } = options;
  console.log(`scale ${scale}, ${rounds} rounds, medians`);
  if (options.profile !== null) console.log('with profiles taken: ours is slower than without');
  console.log(`machine ${JSON.stringify(found.machine)}`);
  console.log(`both servers ${JSON.stringify(found.servers.target)}\n`);
  console.log(formatTable(found.lines));
  for (const profile of profiles) console.log(`\n${formatProfile(profile)}`);
  if (json === null) return;
  const at = new Date().toISOString();
  const whole = { at, scale, rounds, updates, ...found };
  writeFileSync(json, `${JSON.stringify(whole, null, 2)}\n`);
}

/** The first signal stops everything and leaves nothing behind; a second one leaves it to watchdogs. */
function closeOnSignal(opening: Promise<World>): () => boolean {
  let stopped = false;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(signal, () => {
      if (stopped) process.exit(code);
      stopped = true;
      void close(opening).finally(() => process.exit(code));
    });
  }
  return () => stopped;
}
