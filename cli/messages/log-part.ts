import type { Kafka } from 'kafkajs';
import { readLogEnds, readOffsetsAt, type LogEnds } from '../../connectors/kafka/log-ends.ts';
import { partitionName } from '../../connectors/kafka/log-position.ts';
import { readRange, type OffsetRange } from '../../connectors/kafka/read-range.ts';
import { withAdmin } from '../../connectors/kafka/with-admin.ts';
import { tableTopics } from '../../core/topic-name.ts';
import type { Mapping } from '../../core/entity.ts';
import { TandemError } from '../../core/errors.ts';
import { capturedTables } from '../connector/wanted-config.ts';
import type { Flags, Option } from '../command.ts';
import { parseSince, textFlag } from '../records/list-command.ts';

export const LOG_PART_OPTIONS: readonly Option[] = [
  {
    flags: '--topic <topic>',
    help: 'read a part of this topic again, or of the topic of this legacy table, and derive what it touches',
  },
  { flags: '--from-offset <n>', help: 'with --topic: from this offset on' },
  { flags: '--from-time <when>', help: 'with --topic: from this time on: 2026-01-31T08:00Z, 24h' },
  {
    flags: '--to-offset <n>',
    help: 'with --topic: up to this offset, without it (default: the end)',
  },
  { flags: '--partition <n>', help: 'with --topic: of this partition only' },
];

/** What is meant; texts that are wrong are named. */
export type LogPart = {
  readonly topic: string;
  /** The legacy table whose topic it is. */
  readonly table: string;
  readonly from: { readonly offset: bigint } | { readonly atMs: number };
  readonly to: bigint | null;
  readonly partition: number | null;
};

const NUMBER = /^\d{1,18}$/;

/** A problem of the options as text; null: no part of a log is asked for. */
export function logPartOf(
  flags: Flags,
  mapping: Mapping,
  prefix: string | null,
): LogPart | string | null {
  const name = textFlag(flags, 'topic');
  const [offset, time] = [textFlag(flags, 'fromOffset'), textFlag(flags, 'fromTime')];
  const [to, partition] = [textFlag(flags, 'toOffset'), textFlag(flags, 'partition')];
  if (name === null) {
    const isGiven = [offset, time, to, partition].some((text) => text !== null);
    return isGiven ? 'offsets, times and partitions go with --topic' : null;
  }
  const other = ['entity', 'all', 'ids', 'where', 'since'].find((it) => flags[it] !== undefined);
  if (other !== undefined) return `--topic and --${other} exclude each other`;
  if (prefix === null) return '--topic needs KAFKA_BROKERS';
  const topics = tableTopics(prefix, capturedTables(mapping));
  const [topic, table] =
    [...topics].find(([it, { name: other }]) => it === name || other === name) ?? [];
  if (topic === undefined || table === undefined)
    return `--topic ${name} is neither a legacy table of the mapping nor its topic`;
  if ((offset === null) === (time === null)) return 'give --from-offset or --from-time';
  for (const text of [offset, to, partition]) {
    if (text !== null && !NUMBER.test(text)) return `${text} is not a whole number`;
  }
  const since = time === null ? null : parseSince(time, Date.now());
  if (time !== null && since === null)
    return `--from-time ${time} is neither a time nor a duration`;
  return {
    topic,
    table: table.name,
    from: since === null ? { offset: BigInt(offset ?? 0) } : { atMs: Date.parse(since) },
    to: to === null ? null : BigInt(to),
    partition: partition === null ? null : Number(partition),
  };
}

/**
 * Where the part lies in each partition. Without `--partition` one that ends before it has nothing.
 *
 * @throws TandemError `OFFSET_MISSING` with what there is instead
 */
export async function rangesOf(
  kafka: Kafka,
  { topic, from, to, partition }: LogPart,
): Promise<ReadonlyMap<number, OffsetRange>> {
  return await withAdmin(kafka, { what: 'find the part of the log', topic }, async (admin) => {
    const all = await readLogEnds(admin, [topic]);
    const numbers = Array.from({ length: all.size }, (_, i) => i);
    if (partition !== null && !numbers.includes(partition)) {
      throw new TandemError('OFFSET_MISSING', { topic, partition, partitions: all.size });
    }
    const starts =
      'atMs' in from ? await readOffsetsAt(admin, [topic], from.atMs) : new Map<string, bigint>();
    const ranges = new Map<number, OffsetRange>();
    for (const one of partition === null ? numbers : [partition]) {
      const name = partitionName(topic, one);
      const ends = all.get(name) ?? { low: 0n, high: 0n };
      const start = 'offset' in from ? from.offset : (starts.get(name) ?? ends.high);
      if (start < ends.low && ends.high > ends.low)
        throw await missing(kafka, { topic, one, start, ends });
      const end = to === null || to > ends.high ? ends.high : to;
      if (end > start) ranges.set(one, { from: start, to: end });
      else if (partition !== null && start > ends.high) {
        throw await missing(kafka, { topic, one, start, ends });
      }
    }
    return ranges;
  });
}

async function missing(
  kafka: Kafka,
  place: {
    readonly topic: string;
    readonly one: number;
    readonly start: bigint;
    readonly ends: LogEnds;
  },
): Promise<TandemError> {
  const { topic, one: partition, start: asked, ends } = place;
  const facts = { topic, partition, asked, first: ends.low, end: ends.high };
  if (ends.low === ends.high) return new TandemError('OFFSET_MISSING', facts);
  let firstAt = '';
  const first = new Map([[partition, { from: ends.low, to: ends.low + 1n }]]);
  await readRange(kafka, topic, first, async ([message]) => {
    if (message !== undefined) firstAt = new Date(message.timestampMs).toISOString();
  });
  return new TandemError('OFFSET_MISSING', { ...facts, firstAt });
}
