import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { judgeSlot } from '../connectors/postgres/judge-slot.ts';
import type { Pair } from '../connectors/postgres/pair.ts';
import { readSlot } from '../connectors/postgres/slot.ts';
import { clockAheadMs } from '../connectors/postgres/source-clock.ts';
import { followTimeline, type StoredPosition } from '../consumers/position.ts';
import { TandemError } from '../core/errors.ts';
import type { Clock, Observer } from '../core/ports.ts';
import type { Config } from './config.ts';
import type { LogCapture } from './log-capture.ts';
import { readStream, throughOf } from './read-stream.ts';

/** What is asked on the way into a stream. */
type Entry = {
  readonly config: Config;
  readonly log?: LogCapture;
  readonly observer: Observer;
  readonly clock: Clock;
};

/** Where the stream stands, and the source's clock. */
export type Found = {
  readonly stored: StoredPosition;
  readonly clockAheadMs: number;
};

/**
 * Compares what the target remembers with the source and its slot.
 *
 * @param through how the stream is to go on; `look`: it is only looked at
 * @throws TandemError `NOT_SET_UP`, and what `judgeSlot` refuses
 */
export async function findPosition(
  { config, observer, clock }: Entry,
  { source, target }: Pair,
  through: 'slot' | 'log' | 'look',
): Promise<Found> {
  const { stored, memory, found } = await readStream({ source, target }, config);
  if (stored === null) throw new TandemError('NOT_SET_UP', { stream: config.stream });
  const verdict = judgeSlot(
    memory,
    found,
    through === 'look' ? throughOf(config, stored) : through,
  );
  if (verdict.kind === 'refused') throw new TandemError(verdict.code, verdict.details);
  if (verdict.warning !== null) {
    const { timeline } = found.source;
    observer.event('slot', { warning: verdict.warning, timeline }, 'warn');
    await followTimeline(target, stored, timeline);
  }
  return { stored, clockAheadMs: await clockAheadMs(source, clock) };
}

/**
 * Whoever takes the stream from the slot over ends the process that has it: not while that one is at
 * work. Those who share a log settle the tables one after the other, as long as the session lives.
 */
export async function beAlone(context: Entry, source: pg.Client, target: pg.Client) {
  if (context.log === undefined) return await requireNoReader(context, source);
  const name = `tandem settle ${context.config.stream}`;
  await textRows(target, 'select pg_advisory_lock(hashtextextended($1, 0))', [name]);
}

/** The source's process that reads the slot; null: nobody does. */
export async function slotReader(source: pg.Client, name: string): Promise<number | null> {
  const slot = await readSlot(source, name);
  return slot.exists && slot.isActive ? (slot.activePid ?? 0) : null;
}

/** The source needs a moment to notice that the session before has ended. */
const LET_GO_MS = 2_000;

/** @throws TandemError `SLOT_IN_USE` */
export async function requireNoReader({ config, clock }: Entry, source: pg.Client): Promise<void> {
  const deadline = clock.now() + LET_GO_MS;
  for (;;) {
    const pid = await slotReader(source, config.slot);
    if (pid === null) return;
    if (clock.now() > deadline) throw new TandemError('SLOT_IN_USE', { slot: config.slot, pid });
    await clock.sleep(50);
  }
}

/**
 * Of two processes that begin to stream at once the later one has the stream. The other has not
 * committed anything yet, so it waits, as it would had it come a moment later.
 */
export function cameSecond(error: unknown, { slot }: Pick<Config, 'slot'>): unknown {
  if (!(error instanceof TandemError) || error.code !== 'POSITION_TAKEN') return error;
  return new TandemError('SLOT_IN_USE', { slot, reader: 'another process that began' }, error);
}

/** Purpose of the sessions that apply a stream, as their server shows it. */
export const APPLY = 'apply';

/** A process of the target that applies for somebody; null: nobody applies. */
export async function applierPid(target: pg.Client): Promise<number | null> {
  const rows = await textRows(
    target,
    `select pid from pg_stat_activity where application_name = $1 and datname = current_database()
     order by backend_start limit 1`,
    [`tandem ${APPLY}`],
  );
  return rows[0] === undefined ? null : Number(rows[0][0]);
}
