import type pg from 'pg';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import { preparedRows, textRows } from '../connectors/postgres/connection.ts';
import { keyParts, keyText, type MirrorTable } from '../core/mirror-table.ts';
import type { DerivedEntity } from '../core/entity.ts';
import { acceptedRule, forgetAccepted, standingAccepted } from './accepted.ts';
import { legacyKey } from './map-roots.ts';
import { mirrorName } from './mirror-schema.ts';
import { makerKey, type Model } from './model.ts';
import { uuidOf } from '../core/uuid.ts';
import type { MissingParent, Resolved } from './resolve.ts';
import { rootTable } from './affected.ts';

/** A reference whose parent is missing. */
const REFERENCE = [
  'target_table',
  'target_id',
  'target_column',
  'parent_table',
  'parent_entity',
  'parent_key',
  'parent_id',
] as const;

/** The list tables, and the columns of each behind `entity, root_key`. */
export const MARKS = {
  held: REFERENCE,
  unresolved: REFERENCE,
  excluded: ['rule'],
  quarantine: ['source_table', 'source_commit_lsn', 'source_change_lsn', 'error_class', 'message'],
  issue: ['target_column', 'reason'],
} as const;
export type Mark = keyof typeof MARKS;
export const MARK_NAMES = Object.keys(MARKS) as readonly Mark[];
const TYPES: Readonly<Record<string, string>> = {
  target_id: 'uuid',
  parent_id: 'uuid',
  source_commit_lsn: 'pg_lsn',
  source_change_lsn: 'pg_lsn',
};
/** What is renewed when a mark is set again; everything else is part of its key or stays. */
export const RENEWED: Readonly<Record<Mark, readonly string[]>> = {
  held: ['parent_table', 'parent_entity', 'parent_key', 'parent_id'],
  unresolved: ['parent_table', 'parent_entity', 'parent_key', 'parent_id'],
  excluded: ['rule'],
  quarantine: ['source_commit_lsn', 'source_change_lsn', 'error_class', 'message'],
  issue: [],
};
export const KEYS: Readonly<Record<Mark, readonly string[]>> = {
  held: ['entity', 'root_key', 'target_table', 'target_id', 'target_column'],
  unresolved: ['entity', 'root_key', 'target_table', 'target_id', 'target_column'],
  excluded: ['entity', 'root_key'],
  quarantine: ['entity', 'root_key'],
  issue: ['entity', 'root_key', 'target_column', 'reason'],
};

export type Line = readonly (string | null)[];
export type Lines = Record<Mark, Line[]>;

/** The lists that some of the roots stand on. */
type Present = ReadonlySet<Mark | 'accepted'>;

/**
 * Makes the lists say of these roots what is true now, and nothing else: a root that was applied
 * leaves every list. What stays on a list keeps the time at which it was first seen.
 */
export async function syncMarks(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  roots: readonly Resolved[],
  present: Present,
): Promise<void> {
  const lines = linesOf(model, entity, roots);
  if (lines.quarantine.length > 0) {
    lines.quarantine = await withVersions(client, rootTable(model, entity.name), lines.quarantine);
  }
  if (present.has('accepted')) await keepAccepted(client, entity, roots, lines);
  for (const mark of MARK_NAMES) {
    if (present.has(mark)) await clear(client, mark, entity.name, keysOf(roots), lines[mark]);
    if (lines[mark].length > 0) await add(client, mark, lines[mark]);
  }
}

/** On which lists these roots stand: mostly none, and then there is nothing to clear. */
export async function presentMarks(
  client: pg.ClientBase,
  entity: DerivedEntity,
  roots: readonly Resolved[],
): Promise<Present> {
  const names = [...MARK_NAMES, 'accepted'] as const;
  const lists = names.map(
    (mark) =>
      `exists (select from tandem.${mark} where entity = $1 and root_key = any($2::text[]))`,
  );
  const [row] = await preparedRows(client, `select ${lists.join(', ')}`, [
    entity.name,
    keysOf(roots),
  ]);
  return new Set(names.filter((_, i) => row?.[i] === 't'));
}

const keysOf = (roots: readonly Resolved[]) => arrayLiteral(roots.map((root) => root.key));

/**
 * The version at which each root stands in the mirror: that of the row which is refused, whether a
 * batch or a job has derived it.
 */
async function withVersions(
  client: pg.ClientBase,
  table: MirrorTable,
  lines: readonly Line[],
): Promise<Line[]> {
  const key = table.columns.slice(0, table.keyLength);
  const parts = lines.map(([, text]) => keyParts(table, text ?? ''));
  const rows = await textRows(
    client,
    `select ${[...key.map(({ name }) => ident(name)), '_commit_lsn', '_change_lsn'].join(', ')}
     from ${mirrorName(table)} where (${key.map(({ name }) => ident(name)).join(', ')}) in (
       select * from unnest(${key.map(({ type }, i) => `$${i + 1}::${type}[]`).join(', ')}))`,
    key.map((_, i) => arrayLiteral(parts.map((part) => part[i] ?? null))),
  );
  const versions = new Map(rows.map((row) => [keyText(table, row), row.slice(table.keyLength)]));
  return lines.map((line) => {
    const [commit = '0/0', change = '0/0'] = versions.get(line[1] ?? '') ?? [];
    const [entity = null, root = null, source = null, , , ...rest] = line;
    return [entity, root, source, commit, change, ...rest];
  });
}

/** What a person has accepted is left out under that name; what is not the same any more comes back. */
async function keepAccepted(
  client: pg.ClientBase,
  entity: DerivedEntity,
  roots: readonly Resolved[],
  lines: Lines,
): Promise<void> {
  const refusals = lines.quarantine.map(([, key = '', , commit = '', change = '', code = '']) => ({
    key: key ?? '',
    commitLsn: commit ?? '',
    changeLsn: change ?? '',
    code: code ?? '',
  }));
  const standing = await standingAccepted(client, entity.name, refusals);
  for (const { key, code } of refusals) {
    if (standing.has(key)) lines.excluded.push([entity.name, key, acceptedRule(code)]);
  }
  lines.quarantine = lines.quarantine.filter(([, key]) => !standing.has(key ?? ''));
  const others = roots.map(({ key }) => key).filter((key) => !standing.has(key));
  await forgetAccepted(client, entity.name, others);
}

function arraysOf(
  mark: Mark,
  lines: readonly Line[],
): { types: string[]; arrays: string[]; names: string[] } {
  const names = ['entity', 'root_key', ...MARKS[mark]];
  return {
    names,
    types: names.map((name) => TYPES[name] ?? 'text'),
    arrays: names.map((_, i) => arrayLiteral(lines.map((line) => line[i] ?? null))),
  };
}

async function clear(
  client: pg.ClientBase,
  mark: Mark,
  entity: string,
  keys: string,
  lines: readonly Line[],
): Promise<void> {
  const { names, types, arrays } = arraysOf(mark, lines);
  const list = types.map((type, i) => `$${i + 3}::${type}[]`).join(', ');
  const same = KEYS[mark].map((name) => `wanted.${name} = mark.${name}`).join(' and ');
  await preparedRows(
    client,
    `delete from tandem.${mark} as mark where entity = $1 and root_key = any($2::text[])
     and not exists (select from unnest(${list}) as wanted (${names.join(', ')}) where ${same})`,
    [entity, keys, ...arrays],
  );
}

async function add(client: pg.ClientBase, mark: Mark, lines: readonly Line[]): Promise<void> {
  const { names, types, arrays } = arraysOf(mark, lines);
  const list = types.map((type, i) => `$${i + 1}::${type}[]`).join(', ');
  const set = RENEWED[mark].map((name) => `${name} = excluded.${name}`);
  if (mark === 'quarantine') {
    // A root that is refused twice in one transaction was tried in vain once.
    set.push(
      'attempts = mark.attempts + case when mark.last_tried_at = now() then 0 else 1 end',
      'last_tried_at = now()',
    );
  }
  await preparedRows(
    client,
    `insert into tandem.${mark} as mark (${names.join(', ')})
     select distinct ${names.join(', ')} from unnest(${list}) as wanted (${names.join(', ')})
     on conflict (${KEYS[mark].join(', ')}) do ${set.length > 0 ? `update set ${set.join(', ')}` : 'nothing'}`,
    arrays,
  );
}

/** Issues about a value, not a row, stand under this key and are never cleared by a row. */
export const SHARED_ISSUE = '';

/** What the lists have to say of these roots. */
export function linesOf(model: Model, entity: DerivedEntity, roots: readonly Resolved[]): Lines {
  const lines: Lines = { held: [], unresolved: [], excluded: [], quarantine: [], issue: [] };
  const table = rootTable(model, entity.name);
  for (const { key, mapped, heldBy, unresolved } of roots) {
    const start = [entity.name, key];
    for (const missing of heldBy) {
      // A held root has no row yet, but its id is known all the same.
      const id =
        missing.targetTable === ''
          ? uuidOf(entity.identity, legacyKey(table, key))
          : missing.targetId;
      const target = missing.targetTable === '' ? (entity.targets[0] ?? '') : missing.targetTable;
      lines.held.push([...start, target, id, ...parentFields(model, missing)]);
    }
    for (const missing of unresolved) {
      lines.unresolved.push([
        ...start,
        missing.targetTable,
        missing.targetId,
        ...parentFields(model, missing),
      ]);
    }
    if (mapped.kind === 'excluded') lines.excluded.push([...start, mapped.rule]);
    if (mapped.kind === 'refused') {
      // The root's version stands between: `withVersions` reads it for those that are written.
      lines.quarantine.push([...start, table.name, null, null, mapped.code, mapped.message]);
    }
    if (mapped.kind === 'rows') {
      for (const issue of mapped.issues) {
        lines.issue.push([
          entity.name,
          issue.shared === true ? SHARED_ISSUE : key,
          issue.column,
          issue.reason,
        ]);
      }
    }
  }
  return lines;
}

function parentFields(model: Model, missing: MissingParent): Line {
  const { parentTable, parent, column } = missing;
  const maker = model.maker.get(makerKey(parentTable, parent.identity));
  const key = typeof parent.key === 'object' ? JSON.stringify(parent.key) : String(parent.key);
  return [column, parentTable, maker?.name ?? parent.identity, key, parent.uuid];
}
