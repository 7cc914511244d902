import type pg from 'pg';
import type { FoundStream, StoredStream } from '../connectors/postgres/judge-slot.ts';
import { readSlot } from '../connectors/postgres/slot.ts';
import { identifySource } from '../connectors/postgres/source-identity.ts';
import { readTimelineHistory } from '../connectors/postgres/timeline-history.ts';
import { readMemory, readPosition, type StoredPosition } from '../consumers/position.ts';
import type { Config } from './config.ts';

/** What `judgeSlot` compares. */
type StreamFacts = {
  readonly stored: StoredPosition | null;
  readonly memory: StoredStream | null;
  readonly found: FoundStream;
};

/**
 * How the stream may go on. Where there is Kafka, what the slot has handed over may be in the log,
 * also before anybody has read it there.
 */
export function throughOf(
  { kafka }: Pick<Config, 'kafka'>,
  stored: StoredPosition | null,
): 'slot' | 'log' {
  return kafka !== null || stored?.mode === 'kafka' ? 'log' : 'slot';
}

/**
 * Reads slot, target and server, in this order: another process may be streaming meanwhile. The
 * slot is never ahead of a position that is read later, nor that of a server that is asked later;
 * the other way round, a busy stream looks like one that has lost changes.
 */
export async function readStream(
  { source, target }: { readonly source: pg.ClientBase; readonly target: pg.ClientBase },
  config: Pick<Config, 'slot' | 'stream' | 'source'>,
): Promise<StreamFacts> {
  const slot = await readSlot(source, config.slot);
  const stored = await readPosition(target, config.stream);
  const memory = stored === null ? null : await readMemory(target, stored);
  const identity = await identifySource(source);
  const isOther = stored !== null && stored.timeline !== identity.timeline;
  const history = isOther ? await readTimelineHistory(config.source, identity.timeline) : [];
  return { stored, memory, found: { source: identity, slot, history } };
}
