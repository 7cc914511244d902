import type { Selection } from '../consumers/select-roots.ts';
import type { Context, Flags, Option } from './command.ts';
import { derivedEntities } from './known-entities.ts';
import { textFlag } from './records/list-command.ts';
import { readSince, SINCE_HELP, type Since } from './since.ts';

export const SELECTION_OPTIONS: readonly Option[] = [
  { flags: '--entity <entity,…>', help: 'these entities' },
  { flags: '--all', help: 'every entity' },
  { flags: '--ids <key,…>', help: 'only the roots with these keys, or a JSON array of keys' },
  {
    flags: '--where <condition>',
    help: "only the roots that meet it: SQL on the columns of the root's mirror table",
  },
  {
    flags: '--since <when>',
    help: `only roots that changed in the source since then, or rows that they read: ${SINCE_HELP}`,
  },
];

/** Entities, and which of their roots. */
export type Meant = {
  readonly entities: readonly string[];
  readonly selection:
    | Exclude<Selection, { readonly kind: 'since' }>
    | { readonly kind: 'since'; readonly since: Since };
};

/** What is to be derived again; null, after saying so, where the options do not tell. */
export async function meantBy(context: Context, flags: Flags): Promise<Meant | null> {
  const complain = (problem: string) => {
    context.notes.line(`error: ${problem}`);
    return null;
  };
  const names = textFlag(flags, 'entity');
  if ((names === null) === (flags['all'] !== true)) {
    return complain('name entities with --entity, or give --all');
  }
  const { mapping } = await context.mapping();
  const every = mapping.entities.filter(({ kind }) => kind === 'derived').map(({ name }) => name);
  const wanted = await derivedEntities(
    context,
    names === null ? every : names.split(',').map((name) => name.trim()),
    'its entries are what was seen, and stay',
  );
  if (wanted === null) return null;
  const entities = wanted.map(({ name }) => name);
  const given = (['ids', 'where', 'since'] as const).filter(
    (name) => textFlag(flags, name) !== null,
  );
  const [first, second] = given;
  if (second !== undefined) return complain(`--${first ?? ''} and --${second} exclude each other`);
  if (first === undefined) return { entities, selection: { kind: 'all' } };
  const text = textFlag(flags, first) ?? '';
  if (first !== 'since' && entities.length > 1) return complain(`--${first} needs one entity`);
  switch (first) {
    case 'ids': {
      const keys = keysIn(text);
      if (keys === null) return complain('--ids is a list of keys, or a JSON array of keys');
      return { entities, selection: { kind: 'keys', keys } };
    }
    case 'where':
      return { entities, selection: { kind: 'where', condition: text } };
    case 'since': {
      const since = readSince(text, Date.now());
      if (since === null) return complain(`--since ${text} is not ${SINCE_HELP}`);
      return { entities, selection: { kind: 'since', since } };
    }
  }
}

/** `1,2`, `["a,b"]`, or `[["1","2"]]` for keys of several columns. */
function keysIn(text: string): readonly string[] | null {
  if (!text.trim().startsWith('[')) {
    const keys = text.split(',').map((key) => key.trim());
    return keys.some((key) => key === '') ? null : keys;
  }
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list) || list.length === 0) return null;
    return list.map((key: unknown) =>
      Array.isArray(key) ? JSON.stringify(key.map(String)) : String(key),
    );
  } catch {
    return null;
  }
}
