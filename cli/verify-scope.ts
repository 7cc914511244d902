import type { MirrorTable } from '../core/mirror-table.ts';
import { readUsages } from '../core/usage.ts';
import type { Engine } from './engine.ts';
import { didYouMean } from './similar.ts';
import type { VerifyOptions } from './verify-options.ts';

/** What `tandem verify` looks at. */
export type Chosen = {
  readonly tables: readonly MirrorTable[];
  /** Of those asked for, the ones that cannot be looked at, and why. */
  readonly absent: ReadonlyMap<string, string>;
  /** Whose target rows are looked at; null: all, empty: none. */
  readonly entities: readonly string[] | null;
};

/**
 * Everything where nothing is named. Tables alone, keys since a place, and samples are about the
 * mirror: the target's proof follows whole trees. Or a text: what is wrong with the names.
 */
export function chooseScope(
  { model, absent }: Pick<Engine, 'model' | 'absent'>,
  options: VerifyOptions,
): Chosen | string {
  const { tables, entities, since, share } = options;
  const known = model.mapping.entities.map(({ name }) => name);
  for (const name of entities) if (!known.includes(name)) return unknown('entity', name, known);
  for (const name of tables) {
    if (!model.wanted.has(name)) return unknown('table', name, [...model.wanted.keys()]);
  }
  const isMirrorOnly = since !== null || share !== null;
  if (tables.length + entities.length === 0) {
    return { tables: [...model.mirror.values()], absent, entities: isMirrorOnly ? [] : null };
  }
  const chosen = model.mapping.entities.filter(({ name }) => entities.includes(name));
  const read = readUsages({ ...model.mapping, entities: chosen }).tables;
  const wanted = new Set([...tables, ...read.keys()]);
  return {
    tables: [...model.mirror.values()].filter(({ name }) => wanted.has(name)),
    absent: new Map([...absent].filter(([name]) => wanted.has(name))),
    entities: isMirrorOnly ? [] : entities,
  };
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const near = didYouMean(name, known);
  return `no ${what} of the mapping is named ${name}${near === null ? '' : `; did you mean ${near}?`}`;
}
