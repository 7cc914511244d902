import type { LogEnds } from '../connectors/kafka/log-ends.ts';
import { partitionOf } from '../connectors/kafka/log-position.ts';

/** How far the target is behind the end of a topic. */
export type TopicLag = {
  readonly topic: string;
  /** Messages that the target has not had, over all partitions. */
  readonly messagesBehind: number;
  /** The partition that lacks most of them; null: none lacks any. */
  readonly worst: { readonly partition: number; readonly messagesBehind: number } | null;
};

/**
 * By topic, from where the log ends and where the target stands, by `topic/partition`. Offsets are
 * counted, so what compaction or a transaction's end has taken counts too.
 */
export function topicLags(
  ends: ReadonlyMap<string, LogEnds>,
  stored: ReadonlyMap<string, { readonly next: bigint }>,
): readonly TopicLag[] {
  const lags = new Map<string, TopicLag>();
  for (const [name, { low, high }] of ends) {
    const { topic, partition } = partitionOf(name);
    const next = stored.get(name)?.next ?? low;
    const behind = Number(high > next ? high - next : 0n);
    const known = lags.get(topic) ?? { topic, messagesBehind: 0, worst: null };
    const isWorst = behind > (known.worst?.messagesBehind ?? 0);
    lags.set(topic, {
      topic,
      messagesBehind: known.messagesBehind + behind,
      worst: isWorst ? { partition, messagesBehind: behind } : known.worst,
    });
  }
  return [...lags.values()];
}
