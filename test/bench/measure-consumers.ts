import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { valueOf } from './database.ts';
import { KafkaStage } from './kafka-stage.ts';
import { STREAM, streamDatabase } from './measure-stream.ts';
import { perSecond, type Line, type Measured } from './report.ts';
import { commandOf, runTandem } from './run-tandem.ts';
import { median } from './statistics.ts';
import { checkArrival, drawTasks, writeUpdates } from './task-updates.ts';

const COUNTS = [1, 2, 4] as const;
const PARTITIONS = 4;
const TIMEOUT_MS = 600_000;
const POLL_MS = 20;
const TABLE = 'dispatch_task';
const MARK = 'consumers update';
const DRAINED = 'bench_consumers';

type Settings = Readonly<Record<string, string>>;

/**
 * A topic that is full, of four partitions, drained by one, two and four processes of one group: from
 * the first message that the target has until the last. Each begins with the same target.
 */
export async function measureConsumers(bench: Bench): Promise<Measured> {
  const { world, options } = bench;
  const target = await streamDatabase(bench);
  bench.say('consumers: the topic is filled by Debezium');
  await using stage = await KafkaStage.start();
  const settings = { ...stage.settings('avro'), KAFKA_PARTITIONS: String(PARTITIONS) };
  await fillTopic(bench, stage, target, settings);

  const found = new Map<number, number[]>();
  await bench.rounds('consumers', async (number) => {
    for (const count of COUNTS) {
      const url = await world.clone(DRAINED, STREAM);
      const group = `bench-${number}-${count}`;
      const seconds = await drain(bench, url, { ...settings, KAFKA_GROUP: group }, count);
      await checkArrival(bench, url, MARK);
      found.set(count, [...(found.get(count) ?? []), seconds]);
    }
  });
  await world.drop(DRAINED);
  const describe = perSecond(options.updates, 'changes');
  const lines = [...found].map(([count, seconds]): Line => {
    const what = `a full topic, drained by ${count} ${count === 1 ? 'process' : 'processes'}`;
    const ours = describe(median(seconds));
    return { what, ours, floor: '', ratio: null, goal: '', met: null };
  });
  return { lines, facts: { updates: options.updates, seconds: Object.fromEntries(found) } };
}

/** The source's changes are in the log, and whoever wrote it takes no time of the machine any more. */
async function fillTopic(
  bench: Bench,
  stage: KafkaStage,
  target: string,
  settings: Settings,
): Promise<void> {
  const { world, options } = bench;
  await runTandem(world, ['connector', 'deploy'], target, settings);
  await writeUpdates(bench, await drawTasks(bench, options.updates, 1), MARK);
  await stage.filled(TABLE, options.updates);
  await runTandem(world, ['connector', 'delete'], target, settings);
}

async function drain(
  { world, options }: Bench,
  url: string,
  settings: Settings,
  count: number,
): Promise<number> {
  const children = Array.from({ length: count }, () => start());
  function start(): ChildProcess {
    const command = commandOf(world, ['run', '--from', 'kafka'], url, settings);
    const child = spawn(command.program, command.args, { ...command.options, stdio: 'ignore' });
    world.adopt(child);
    return child;
  }
  const taken = async () =>
    Number(
      await valueOf(
        url,
        `select coalesce(sum(next_offset), 0) from tandem.topic_position
         where topic like '%.dispatch_task'`,
      ),
    );
  try {
    await until('the first message', async () => (await taken()) > 0);
    const from = performance.now();
    const already = await taken();
    await until('the last message', async () => (await taken()) >= options.updates);
    const seconds = (performance.now() - from) / 1000;
    return (seconds * options.updates) / (options.updates - already);
  } finally {
    const ended = children.map((child) => once(child, 'exit'));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(ended);
  }
}

async function until(what: string, fact: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!(await fact())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come`);
    await pause(POLL_MS);
  }
}
