import type { Bench } from './bench.ts';
import { valueOf } from './database.ts';
import { JdbcSink } from './jdbc-sink.ts';
import { copyBySink } from './kafka-copy.ts';
import { drainBySink, drainByUs, fillTopic, type SinkDrain } from './kafka-drain.ts';
import { kafkaLatencies, type Latency } from './kafka-latency.ts';
import { kafkaLines } from './kafka-lines.ts';
import { KafkaStage } from './kafka-stage.ts';
import { peakMemory } from './machine.ts';
import { streamDatabase } from './measure-stream.ts';
import { plainTables } from './plain-tables.ts';
import type { Measured } from './report.ts';
import type { WorkerReport } from './worker-task.ts';
import { EMPTY } from './world.ts';

const TABLE = 'dispatch_task';
const PLAIN = 'bench_kafka_plain';
const COPY = 'bench_kafka_copy';

/** What was found; the sink only copies rows, ours derives the new model from them. */
export type KafkaFacts = {
  readonly updates: number;
  readonly copy: {
    /** All of the mirror, and derived. */
    readonly rows: number;
    readonly seconds: number;
    /** The largest table alone. */
    readonly sinkRows: number;
    readonly sinkSeconds: number;
  };
  readonly avro: readonly { readonly ours: WorkerReport; readonly sink: SinkDrain }[];
  readonly json: readonly WorkerReport[];
  readonly latencyMs: { readonly ours: Latency; readonly theirs: Latency };
  /** Of the process that has source and sink. */
  readonly connectPeakBytes: number | null;
};

/**
 * Through Kafka, beside Debezium's JDBC sink: the same connector writes the topics that both read in
 * turn. Initial copy, draining full topics, latency, memory.
 */
export async function measureKafka(bench: Bench): Promise<Measured> {
  bench.say('starting broker, registry and Connect');
  await using stage = await KafkaStage.start();
  const facts = await measured(bench, stage);
  return { lines: kafkaLines(facts), facts };
}

async function measured(bench: Bench, stage: KafkaStage): Promise<KafkaFacts> {
  const { world, options } = bench;
  const { updates } = options;
  bench.say("initial copy by Debezium's snapshot and sink, and by ours");
  const { url, tables } = await plainTables(bench, PLAIN);
  const table = tables.find(({ name }) => name === TABLE);
  if (table === undefined) throw new Error(`there is no ${TABLE}`);
  const plain = { url, table };
  const theirs = await copyBySink(bench, stage, plain);
  const copied = await world.clone(COPY, EMPTY);
  const ours = await bench.engine('kafka-backfill', copied, { kind: 'backfill' });
  const rows = Number(
    await valueOf(copied, `select sum(rows) from tandem.chunk where stage = 'load'`),
  );
  await world.drop(COPY);

  const target = await streamDatabase(bench);
  await stage.deploy(world, target, 'avro');
  const sink = await JdbcSink.start(stage, 'sink', stage.topicOf(TABLE), plain);
  const peak = () => peakMemory(stage.stack.connect.pid);
  let beside: Pick<KafkaFacts, 'avro' | 'latencyMs' | 'connectPeakBytes'>;
  try {
    await sink.pause();
    const avro = await bench.rounds('Kafka, Avro', async (seed) => {
      const topic = await fillTopic(bench, stage, { mark: `avro round ${seed} update`, seed });
      const name = `kafka-avro-${seed}`;
      const report = await drainByUs(bench, stage, target, { topic, format: 'avro', name });
      return { ours: report, sink: await drainBySink(bench, stage, sink, plain.url, topic) };
    });
    const latencyMs = await kafkaLatencies(bench, stage, target, { sink, plain: plain.url });
    const connectPeakBytes = peak();
    await sink[Symbol.asyncDispose]();
    beside = { avro, latencyMs, connectPeakBytes };
  } catch (error) {
    await sink.requireHealthy(); // what it says explains more
    throw error;
  }
  await stage.deploy(world, target, 'json');
  const json = await bench.rounds('Kafka, JSON', async (seed) => {
    const topic = await fillTopic(bench, stage, { mark: `json round ${seed} update`, seed });
    const name = `kafka-json-${seed}`;
    return drainByUs(bench, stage, target, { topic, format: 'json', name });
  });
  await world.drop(PLAIN);
  const { rows: sinkRows, seconds: sinkSeconds } = theirs;
  const copy = { rows, seconds: ours.seconds, sinkRows, sinkSeconds };
  return { updates, copy, ...beside, json };
}
