import type { DerivedEntity } from '../core/entity.ts';
import type { Context } from './command.ts';
import { knownEntity } from './records/known-entity.ts';

/** The derived entities of these names; null, after saying why, where one of them is not. */
export async function derivedEntities(
  context: Context,
  names: readonly string[],
  whyNotJournal: string,
): Promise<readonly DerivedEntity[] | null> {
  const found: DerivedEntity[] = [];
  for (const name of new Set(names)) {
    const entity = await knownEntity(context, name);
    if (entity === null) return null;
    if (entity.kind === 'journal') {
      context.notes.line(`error: ${name} is a journal: ${whyNotJournal}`);
      return null;
    }
    found.push(entity);
  }
  return found;
}
