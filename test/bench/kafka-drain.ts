import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { execute, rowsOf, valueOf } from './database.ts';
import type { JdbcSink } from './jdbc-sink.ts';
import type { KafkaStage, LogFormat } from './kafka-stage.ts';
import { cpuSeconds } from './process-usage.ts';
import { checkArrival, drawTasks, writeUpdates } from './task-updates.ts';
import type { WorkerReport } from './worker-task.ts';

const TABLE = 'dispatch_task';
/** The last updates stand for all: partitions are read in their order. */
const LAST = 200;
const TIMEOUT_MS = 600_000;

/** A topic full of single-row updates, 100 a transaction. */
type FullTopic = { readonly mark: string; readonly ids: readonly number[] };

/** Writes updates, and returns when the topic has them all. */
export async function fillTopic(
  bench: Bench,
  stage: KafkaStage,
  round: { readonly mark: string; readonly seed: number },
): Promise<FullTopic> {
  const ids = await drawTasks(bench, bench.options.updates, round.seed);
  const before = await stage.messages(TABLE);
  await execute(bench.world.sourceUrl, 'vacuum analyze public.dispatch_task');
  await writeUpdates(bench, ids, round.mark);
  await stage.filled(TABLE, before + ids.length);
  return { mark: round.mark, ids };
}

/** Ours, in a fresh process: from the session's opening, joining the group included. */
export async function drainByUs(
  bench: Bench,
  stage: KafkaStage,
  target: string,
  { topic, format, name }: { topic: FullTopic; format: LogFormat; name: string },
): Promise<WorkerReport> {
  await execute(target, 'vacuum analyze legacy.dispatch_task');
  await execute(target, 'vacuum analyze public.tasks');
  const work = { kind: 'stream', events: topic.ids.length } as const;
  const report = await bench.engine(name, target, work, stage.settings(format));
  await checkArrival(bench, target, topic.mark);
  return report;
}

export type SinkDrain = { readonly seconds: number; readonly cpuSeconds: number | null };

/** The sink, whose tasks are there already and have taken nothing: from its resuming. */
export async function drainBySink(
  bench: Bench,
  stage: KafkaStage,
  sink: JdbcSink,
  plain: string,
  topic: FullTopic,
): Promise<SinkDrain> {
  await execute(plain, 'vacuum analyze public.dispatch_task');
  await bench.world.settle();
  const { pid } = stage.stack.connect;
  const cpuBefore = cpuSeconds(pid);
  const start = performance.now();
  await sink.resume();
  await arrivalOf(sink, plain, topic);
  const seconds = (performance.now() - start) / 1000;
  const cpuAfter = cpuSeconds(pid);
  await sink.pause();
  await requireSame(bench, plain, topic.mark);
  const isKnown = cpuBefore !== null && cpuAfter !== null;
  return { seconds, cpuSeconds: isKnown ? cpuAfter - cpuBefore : null };
}

async function arrivalOf(sink: JdbcSink, plain: string, { ids, mark }: FullTopic): Promise<void> {
  // A row may have been updated several times: what it says in the end.
  const texts = new Map(ids.map((id, i) => [id, `${mark} ${i + 1}`]));
  const last = ids.slice(-LAST);
  const wanted = last.map((id) => texts.get(id) ?? '');
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const [row] = await rowsOf(
      plain,
      `select count(*) from unnest($1::int[], $2::text[]) as wanted (id, said)
       join public.dispatch_task t using (id) where t.text is distinct from said`,
      [last.map(String), wanted],
    );
    if (row?.[0] === '0') return;
    if (performance.now() > deadline) throw new Error(`${row?.[0]} updates did not arrive`);
    await sink.requireHealthy();
    await pause(50);
  }
}

async function requireSame({ world }: Bench, plain: string, mark: string): Promise<void> {
  const sql = `select count(*) from public.dispatch_task where text like '${mark} %'`;
  const [sent, arrived] = await Promise.all([valueOf(world.sourceUrl, sql), valueOf(plain, sql)]);
  if (sent !== arrived) throw new Error(`${sent} rows were updated, ${arrived} came by the sink`);
}
