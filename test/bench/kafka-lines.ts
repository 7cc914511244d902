import type { KafkaFacts } from './measure-kafka.ts';
import { compared, perSecond, phasesOf, plain, type Line } from './report.ts';
import { median } from './statistics.ts';
import type { WorkerReport } from './worker-task.ts';

const GOALS = { drain: 1.5, copy: 4, p99: 2, memory: 5 };

/** The lines of the comparison: the floor is the sink, so a ratio above 1 is in our favour. */
export function kafkaLines(facts: KafkaFacts): Line[] {
  const { updates, copy, avro, json, latencyMs } = facts;
  const { ours, theirs } = latencyMs;
  const count = updates.toLocaleString('en-US');
  const reports = [...avro.map((round) => round.ours), ...json];
  return [
    compared({
      what: `Kafka: ${count} updates in Avro, beside the JDBC sink`,
      oursSeconds: median(avro.map((round) => round.ours.seconds)),
      floorSeconds: median(avro.map((round) => round.sink.seconds)),
      describe: perSecond(updates, 'changes'),
      goal: GOALS.drain,
    }),
    compared({
      what: `Kafka: ${count} updates in JSON, beside the JDBC sink in Avro`,
      oursSeconds: median(json.map((report) => report.seconds)),
      floorSeconds: median(avro.map((round) => round.sink.seconds)),
      describe: perSecond(updates, 'changes'),
      goal: GOALS.drain,
    }),
    beside({
      what: 'Kafka: CPU of a drain, beside the Connect worker',
      ours: median(avro.map((round) => round.ours.cpuSeconds)),
      floor: median(avro.map((round) => round.sink.cpuSeconds ?? NaN)),
      unit: 's',
      goal: null,
    }),
    plain('Kafka: phases, Avro', batchesOf(avro.map((round) => round.ours))),
    initialCopy(copy),
    ...(['p50', 'p99'] as const).map((p) =>
      beside({
        what: `Kafka: latency at 200 changes/s, ${p}`,
        ...{ ours: ours[p], floor: theirs[p], unit: 'ms' },
        goal: p === 'p99' ? GOALS.p99 : null,
      }),
    ),
    beside({
      what: 'Kafka: peak memory, beside the Connect worker',
      ours: Math.max(...reports.map(({ peakMemoryBytes }) => megabytes(peakMemoryBytes))),
      floor: megabytes(facts.connectPeakBytes),
      unit: 'MB',
      goal: GOALS.memory,
    }),
  ];
}

/** By rows a second, as the sink copies one table only. */
function initialCopy({ rows, seconds, sinkRows, sinkSeconds }: KafkaFacts['copy']): Line {
  const ratio = rows / seconds / (sinkRows / sinkSeconds);
  return {
    what: 'initial copy: all tables and their derivation, beside the largest by snapshot and sink',
    ours: perSecond(rows, 'rows')(seconds),
    floor: perSecond(sinkRows, 'rows')(sinkSeconds),
    ratio,
    goal: `>= ${GOALS.copy}`,
    met: ratio >= GOALS.copy,
  };
}

const megabytes = (bytes: number | null) => (bytes === null ? NaN : bytes / 1024 / 1024);

/** Less is better. */
function beside(line: {
  readonly what: string;
  readonly ours: number;
  readonly floor: number;
  readonly unit: string;
  readonly goal: number | null;
}): Line {
  const { what, ours, floor, unit, goal } = line;
  const ratio = floor / ours;
  const shown = (value: number) => `${value.toFixed(1)} ${unit}`;
  return {
    ...{ what, ours: shown(ours), floor: shown(floor), ratio },
    goal: goal === null ? '' : `>= ${goal}`,
    met: goal === null || Number.isNaN(ratio) ? null : ratio >= goal,
  };
}

function batchesOf(reports: readonly WorkerReport[]): string {
  const sizes = reports.map(({ events, batches }) => events / batches);
  const size = Math.round(median(sizes)).toLocaleString('en-US');
  return `${size} changes a batch; ${phasesOf(reports.map(({ phaseMs }) => phaseMs))}`;
}
