import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { startBroker } from '../../demo/servers/kafka/broker.ts';
import { startConnect, type Connect } from '../../demo/servers/kafka/connect.ts';
import { startRegistry, type Registry } from '../../demo/servers/kafka/registry.ts';
import type { Bench } from './bench.ts';
import { execute } from './database.ts';
import { peakMemory } from './machine.ts';
import type { Line, Measured } from './report.ts';
import { commandOf, runTandem } from './run-tandem.ts';
import { drawTasks, writeUpdates } from './task-updates.ts';
import { EMPTY } from './world.ts';

const FORMATS = ['json', 'avro'] as const;
type Format = (typeof FORMATS)[number];
const WHO = ['relay', 'debezium'] as const;
type Who = (typeof WHO)[number];

type Run = { readonly who: Who; readonly format: Format; readonly target: string };
type Report = {
  readonly who: Who;
  readonly format: Format;
  /** From the first message to the last. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMemoryBytes: number | null;
};

type Servers = {
  readonly bootstrap: string;
  readonly connect: Connect;
  readonly registry: Registry;
};

/** A full slot into Kafka: by the relay, and by Debezium, each from a slot of its own. */
export async function measureRelay(bench: Bench): Promise<Measured> {
  const { updates } = bench.options;
  await using broker = await startBroker();
  await using registry = await startRegistry();
  const { bootstrap } = broker;
  await using connect = await startConnect({ bootstrap });
  const servers = { bootstrap, connect, registry };
  const runs: Run[] = [];
  for (const who of WHO) {
    for (const format of FORMATS) runs.push(await setUp(bench, servers, { who, format }));
  }
  bench.say(`relay: writing ${updates} updates`);
  await writeUpdates(bench, await drawTasks(bench, updates, 1), 'relay');
  const reports: Report[] = [];
  for (const run of runs) {
    const report = await drain(bench, servers, run);
    bench.say(`${run.who} ${run.format}: ${report.seconds.toFixed(1)} s`);
    reports.push(report);
  }
  return { lines: reports.map((report) => lineOf(report, updates)), facts: { updates, reports } };
}

const nameOf = ({ who, format }: Pick<Run, 'who' | 'format'>) => `bench_${who}_${format}`;

function settingsOf(servers: Servers, run: Pick<Run, 'who' | 'format'>): Record<string, string> {
  const name = nameOf(run);
  return {
    TANDEM_SLOT: name,
    KAFKA_BROKERS: servers.bootstrap,
    KAFKA_TOPIC_PREFIX: name,
    KAFKA_FORMAT: run.format,
    SCHEMA_REGISTRY_URL: servers.registry.url,
    SCHEMA_REGISTRY_CONNECT_URL: servers.registry.nativeUrl,
    CONNECT_URL: servers.connect.url,
    CONNECTOR_NAME: name,
  };
}

/** A slot of its own, from before the backlog. */
async function setUp(
  { world }: Bench,
  servers: Servers,
  run: Pick<Run, 'who' | 'format'>,
): Promise<Run> {
  const target = await world.clone(nameOf(run), EMPTY);
  await execute(target, 'drop schema tandem cascade; drop schema legacy cascade');
  await runTandem(world, ['setup'], target, settingsOf(servers, run));
  return { ...run, target };
}

async function drain(bench: Bench, servers: Servers, run: Run): Promise<Report> {
  const { world, options } = bench;
  await world.settle();
  const env = settingsOf(servers, run);
  const topic = `${nameOf(run)}.public.dispatch_task`;
  let child: ChildProcess | null = null;
  let pid = servers.connect.pid;
  const cpuBefore = run.who === 'relay' ? 0 : cpuSeconds(pid);
  if (run.who === 'relay') {
    const { program, args, options: given } = commandOf(world, ['relay'], run.target);
    child = spawn(program, args, {
      ...given,
      env: { ...given.env, ...env, LOG_LEVEL: 'warn' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    world.adopt(child);
    pid = child.pid ?? 0;
  } else {
    await runTandem(world, ['connector', 'deploy'], run.target, env);
  }
  const seconds = await arrival(servers.bootstrap, topic, options.updates);
  const used = cpuSeconds(pid) - cpuBefore;
  const peakMemoryBytes = peakMemory(pid);
  if (child === null) await runTandem(world, ['connector', 'delete'], run.target, env);
  else child.kill('SIGTERM');
  return { who: run.who, format: run.format, seconds, cpuSeconds: used, peakMemoryBytes };
}

/** Seconds from the first message of a topic to its `count`th. */
async function arrival(bootstrap: string, topic: string, count: number): Promise<number> {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    let first: { readonly at: number; readonly seen: number } | null = null;
    for (;;) {
      const seen = await countOf(admin, topic);
      if (first === null && seen > 0) first = { at: performance.now(), seen };
      if (first !== null && seen >= count) {
        const share = (count - first.seen) / count;
        return (performance.now() - first.at) / 1000 / (share === 0 ? 1 : share);
      }
      await pause(20);
    }
  } finally {
    await admin.disconnect();
  }
}

/** None where the topic is not there yet. */
async function countOf(admin: ReturnType<Kafka['admin']>, topic: string): Promise<number> {
  if (!(await admin.listTopics()).includes(topic)) return 0;
  const ends = await admin.fetchTopicOffsets(topic).catch(() => []);
  return ends.reduce((sum, { offset }) => sum + Number(offset), 0);
}

/** Clock ticks of a hundredth of a second, user and system. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function lineOf({ who, format, ...report }: Report, updates: number): Line {
  const rate = Math.round(updates / report.seconds).toLocaleString('en-US');
  const cpu = ((report.cpuSeconds / updates) * 100_000).toFixed(1);
  const memory =
    report.peakMemoryBytes === null
      ? 'unknown'
      : `${Math.round(report.peakMemoryBytes / 1024 / 1024)} MB`;
  return {
    what: `into Kafka: ${who}, ${format}`,
    ours: `${rate} changes/s, ${cpu} s CPU per 100,000, ${memory}`,
    ...{ floor: '', ratio: null, goal: '', met: null },
  };
}
