import type { Bench } from './bench.ts';
import type { JdbcSink } from './jdbc-sink.ts';
import type { KafkaStage } from './kafka-stage.ts';
import { Worker } from './run-worker.ts';
import { median, percentile } from './statistics.ts';
import {
  arrival,
  distinctTasks,
  latencies,
  PLAIN,
  TASKS,
  withWriter,
  type Place,
} from './steady-writes.ts';

const PER_SECOND = 200;
/** Both are compiled as they run: what a process is like that has run for a while is measured. */
const WARM_UP_SECONDS = 10;
const SECONDS = 12;

/** Milliseconds from the source's commit to the target's. */
export type Latency = { readonly p50: number; readonly p99: number; readonly max: number };

/** Through the topics, first to the sink and then to us, so that we leave nothing for a later drain. */
export async function kafkaLatencies(
  bench: Bench,
  stage: KafkaStage,
  target: string,
  { sink, plain }: { readonly sink: JdbcSink; readonly plain: string },
): Promise<{ readonly ours: Latency; readonly theirs: Latency }> {
  const { world } = bench;
  bench.say(`latency through Kafka at ${PER_SECOND} changes a second`);
  await world.settle();
  await sink.resume();
  const theirs = await steady(bench, plain, PLAIN, 'to the sink');
  await sink.pause();
  await world.settle();
  const worker = new Worker(world, {
    sourceUrl: world.sourceUrl,
    targetUrl: target,
    work: { kind: 'stream', events: null },
    log: stage.settings('avro'),
    profile: bench.profileFile('kafka-latency'),
  });
  // Where the stream fails, nothing arrives.
  const failed = worker.report.then(() => Promise.reject(new Error('the stream has ended')));
  failed.catch(() => undefined);
  const ours = await Promise.race([steady(bench, target, TASKS, 'to us'), failed]);
  await worker.stop();
  return { ours, theirs };
}

async function steady(bench: Bench, url: string, place: Place, mark: string): Promise<Latency> {
  const ids = await distinctTasks(bench, PER_SECOND * (WARM_UP_SECONDS + SECONDS));
  const warmUp = ids.splice(0, Math.min(PER_SECOND * WARM_UP_SECONDS, ids.length >> 2));
  await withWriter(bench, PER_SECOND, async (write) => {
    await write(warmUp, `${mark}, warm-up`);
    await arrival(url, place, warmUp, `${mark}, warm-up`);
    await write(ids, mark);
    await arrival(url, place, ids, mark);
  });
  const ms = await latencies(bench, url, place, ids);
  return { p50: median(ms), p99: percentile(ms, 0.99), max: Math.max(...ms) };
}
