import type { Pair } from '../connectors/postgres/pair.ts';
import { textRows } from '../connectors/postgres/connection.ts';
import { readSlot } from '../connectors/postgres/slot.ts';
import { formatLsn } from '../core/version.ts';
import { systemClock } from './clock.ts';
import { EXIT, type Context, type ExitCode } from './command.ts';
import { formatSeconds } from './units.ts';

const POLL_MS = 100;

/**
 * `tandem status --drained`: nobody moves the slot any more, and the target stands where it is
 * confirmed. Not the same as caught up: what the source commits meanwhile stays in the slot, for
 * whoever reads it next.
 */
export async function awaitDrained(
  context: Context,
  pair: Pair,
  timeoutMs: number,
): Promise<ExitCode> {
  const { stream, slot } = await context.config();
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look(pair, stream, slot);
    if (found.kind === 'drained') {
      context.out.line('drained: the target has all that was read from the slot');
      return EXIT.ok;
    }
    if (Date.now() >= deadline) {
      const waited = formatSeconds(timeoutMs / 1000);
      context.out.line(`not drained after ${waited}: ${found.why}`);
      return EXIT.notYet;
    }
    await systemClock.sleep(POLL_MS);
  }
}

type Found = { readonly kind: 'drained' } | { readonly kind: 'not yet'; readonly why: string };

async function look({ source, target }: Pair, stream: string, name: string): Promise<Found> {
  const slot = await readSlot(source, name);
  if (!slot.exists) return { kind: 'not yet', why: `there is no slot ${name}` };
  if (slot.isActive) {
    const reader = `process ${slot.activePid ?? '?'} reads the slot`;
    return { kind: 'not yet', why: `${reader}; stop relay or connector first` };
  }
  const [there] = await textRows(target, `select to_regclass('tandem.position') is not null`);
  if (there?.[0] !== 't') return { kind: 'not yet', why: 'the target is not set up' };
  const confirmed = slot.confirmedFlushLsn === null ? null : formatLsn(slot.confirmedFlushLsn);
  const [row] = await textRows(
    target,
    'select position, position::pg_lsn >= $2::pg_lsn from tandem.position where stream = $1',
    [stream, confirmed],
  );
  if (row?.[1] === 't') return { kind: 'drained' };
  const place = `${row?.[0] ?? 'nowhere'}, the slot at ${confirmed ?? '?'}`;
  return {
    kind: 'not yet',
    why: `the target stands at ${place}; does tandem run --from kafka run?`,
  };
}
