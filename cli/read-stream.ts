import type pg from 'pg';
import { readSlot, type NoSlot, type SlotState } from '../connectors/postgres/slot.ts';
import { identifySource, type SourceIdentity } from '../connectors/postgres/source-identity.ts';
import { readPosition, type StoredPosition } from '../consumers/position.ts';

/** What `judgeSlot` compares. */
export type StreamFacts = {
  readonly stored: StoredPosition | null;
  readonly found: { readonly source: SourceIdentity; readonly slot: SlotState | NoSlot };
};

/**
 * Reads slot, target and server, in this order: another process may be streaming meanwhile. The
 * slot is never ahead of a position that is read later, nor that of a server that is asked later;
 * the other way round, a busy stream looks like one that has lost changes.
 */
export async function readStream(
  { source, target }: { readonly source: pg.ClientBase; readonly target: pg.ClientBase },
  { slot, stream }: { readonly slot: string; readonly stream: string },
): Promise<StreamFacts> {
  const state = await readSlot(source, slot);
  const stored = await readPosition(target, stream);
  return { stored, found: { slot: state, source: await identifySource(source) } };
}
