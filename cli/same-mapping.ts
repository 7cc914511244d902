import type pg from 'pg';
import { runningMapping } from '../consumers/mapping-state.ts';
import type { Context } from './command.ts';
import type { Engine } from './engine.ts';
import { fingerprintsOf } from './fingerprint.ts';

/**
 * Whether the process that derives has the same mapping as this one; else says so. Work that is left
 * to it would be done with its mapping, not with the one that was meant.
 */
export async function sameMapping(
  context: Context,
  engine: Engine,
  target: pg.ClientBase,
  entities: readonly string[],
): Promise<boolean> {
  if ((await engine.readerPid()) === null) return true;
  const running = await runningMapping(target);
  const mine = await fingerprintsOf(engine.model.mapping);
  const others = entities.filter(
    (name) => running.has(name) && running.get(name) !== mine.get(name),
  );
  if (others.length === 0) return true;
  const what = others.join(', ');
  context.notes.line(
    `error: the process that streams has another mapping of ${what}; nothing was done`,
  );
  context.notes.line(
    'next:  start `tandem run` again, then ask again, or start it with --apply-mapping',
  );
  return false;
}
