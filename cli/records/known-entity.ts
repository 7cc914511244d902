import type { Entity } from '../../core/entity.ts';
import type { Context } from '../command.ts';
import { didYouMean } from '../similar.ts';

/** The entity of that name; null, after saying so, where the mapping has none. */
export async function knownEntity(context: Context, name: string): Promise<Entity | null> {
  const { mapping } = await context.mapping();
  const entity = mapping.entities.find((candidate) => candidate.name === name);
  if (entity !== undefined) return entity;
  const near = didYouMean(
    name,
    mapping.entities.map((candidate) => candidate.name),
  );
  const question = near === null ? '' : `; did you mean ${near}?`;
  context.notes.line(`error: no entity is named ${name}${question}`);
  return null;
}
