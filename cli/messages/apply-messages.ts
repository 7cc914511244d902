import type { Applier } from '../../consumers/apply.ts';
import { forgetDeadLetters, recordDeadLetters } from '../../consumers/dead-letters.ts';
import { lostSight, type ChangeEvent } from '../../core/change-event.ts';
import { TandemError, type ErrorCode } from '../../core/errors.ts';
import type { RawMessage } from '../../core/log-message.ts';
import type { Unreadable } from '../../core/ports.ts';
import { compareVersions } from '../../core/version.ts';
import type pg from 'pg';
import type { LogReading } from './log-reading.ts';

/** What became of dead letters that were tried again. */
export type MessageFates = {
  /** Their changes are in the target, or were there already. */
  applied: number;
  /** They cannot be read now either. */
  unreadable: number;
  /** They are not in the topic of dead letters any more. */
  gone: number;
  /** Their tables are stopped, or not in the mapping. */
  leftAlone: number;
};

type Letter = { readonly raw: RawMessage; readonly table: string | null };

/**
 * Reads kept messages with today's decoder, and applies what they say. Of those that fail together
 * each is tried alone, so that one does not hold the others back.
 */
export async function applyMessages(
  tools: {
    readonly reading: LogReading;
    readonly applier: Applier;
    readonly client: pg.ClientBase;
  },
  letters: readonly Letter[],
): Promise<Pick<MessageFates, 'applied' | 'unreadable'>> {
  const { reading, applier, client } = tools;
  const events: ChangeEvent[] = [];
  const readable: RawMessage[] = [];
  const failed: Unreadable[] = [];
  for (const letter of letters) {
    const found = await decodeOne(reading, letter);
    if ('code' in found) {
      failed.push(found);
      continue;
    }
    readable.push(letter.raw);
    if (found.event !== null) events.push(found.event);
  }
  if (failed.length > 0) await recordDeadLetters(client, failed);
  events.sort((a, b) => compareVersions(a.version, b.version));
  try {
    if (readable.length > 0) {
      await applier.applyLate({
        events,
        reread: reading.reread,
        beside: (session) => forgetDeadLetters(session, readable),
      });
    }
    return { applied: readable.length, unreadable: failed.length };
  } catch (error) {
    const isOfMessage = error instanceof TandemError && error.retry === 'manual';
    if (!isOfMessage && !isTruncate(events)) throw error;
    if (readable.length > 1) return await eachAlone(tools, letters, readable, failed.length);
    const [only] = letters.filter(({ raw }) => raw === readable[0]);
    if (only !== undefined) await recordDeadLetters(client, [failureOf(only, error)]);
    return { applied: 0, unreadable: failed.length + 1 };
  }
}

async function eachAlone(
  tools: Parameters<typeof applyMessages>[0],
  letters: readonly Letter[],
  readable: readonly RawMessage[],
  failed: number,
): Promise<Pick<MessageFates, 'applied' | 'unreadable'>> {
  let [applied, unreadable] = [0, failed];
  for (const letter of letters.filter(({ raw }) => readable.includes(raw))) {
    const fate = await applyMessages(tools, [letter]);
    applied += fate.applied;
    unreadable += fate.unreadable;
  }
  return { applied, unreadable };
}

const isTruncate = (events: readonly ChangeEvent[]) =>
  events.some(({ kind }) => kind === 'truncate');

async function decodeOne(
  { decoder }: LogReading,
  letter: Letter,
): Promise<{ readonly event: ChangeEvent | null } | Unreadable> {
  try {
    await decoder.prepare([letter.raw]);
    const decoded = decoder.decode(letter.raw);
    if (decoded.kind === 'tombstone') {
      return { event: lostSight(decoded.table, decoded.key) };
    }
    if (decoded.kind !== 'unreadable') {
      return { event: decoded.kind === 'change' ? decoded.event : null };
    }
    return unreadable(letter, decoded.code, decoded.message);
  } catch (error) {
    // A schema that the registry does not know is this message's affair, one that is away is not.
    if (!(error instanceof TandemError) || error.retry !== 'manual') throw error;
    return failureOf(letter, error);
  }
}

function failureOf(letter: Letter, error: unknown): Unreadable {
  if (!(error instanceof TandemError)) throw error;
  return unreadable(letter, error.code, error.message);
}

function unreadable({ raw, table }: Letter, code: ErrorCode, message: string): Unreadable {
  const { topic, partition, offset } = raw;
  return { topic, partition, offset, table, code, message };
}
