import type pg from 'pg';
import { arrayLiteral, ident, literal } from '../connectors/postgres/sql.ts';
import { preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import { keyParts, keyText, type Image, type MirrorTable } from '../core/mirror-table.ts';
import type { ClimbStep, Usage } from '../core/usage.ts';
import type { Changed } from './merge.ts';
import { mirrorName } from './mirror-schema.ts';
import type { Model } from './model.ts';

/** Roots of an entity to derive again. Where the merge returned the row itself, it is given. */
export type Roots = Map<string, Image | null | undefined> & {
  /** Roots whose own row was there before and changed: their target rows are most likely there. */
  changed?: Set<string>;
};

/** A change that concerns more roots than a batch may hold, to be derived behind the stream. */
export type FanOut = { readonly usage: Usage; readonly values: readonly string[] };

/**
 * Walks from changed mirror rows back to the roots that read them.
 *
 * From the values as they were and as they are: the first difference between a root's old and new
 * tree is at some row below an unchanged path, and that path leads up from there in the present
 * mirror. A change above it is a change of its own and climbs for itself.
 */
export class Affected {
  readonly #model: Model;
  readonly #climbs = new Map<Usage, string | null>();
  readonly #limit: number;

  constructor(model: Model, limit: number) {
    this.#model = model;
    this.#limit = limit;
    for (const usage of model.usages) {
      this.#climbs.set(usage, climbSql(model, usage));
    }
  }

  /** Adds to `into` the roots that the changed rows of one table concern; returns what is too much. */
  async collect(
    client: pg.ClientBase,
    table: MirrorTable,
    changed: readonly Changed[],
    into: Map<string, Roots>,
    isActive: (entity: string) => boolean,
  ): Promise<FanOut[]> {
    const tooMany: FanOut[] = [];
    for (const usage of this.#model.usagesOf.get(table.name) ?? []) {
      if (!isActive(usage.entity)) continue;
      const concerned = changed.filter((row) => row.concerned.includes(usage));
      if (concerned.length === 0) continue;
      const roots = rootsOf(into, usage.entity);
      if (usage.climb.length === 0) {
        const known = (roots.changed ??= new Set());
        for (const row of concerned) {
          roots.set(row.key, row.image);
          if (row.old !== null) known.add(row.key);
        }
        continue;
      }
      const values = startValues(table, usage, concerned);
      if (values.length === 0) continue;
      const found = await this.climb(client, usage, values, null, this.#limit + 1);
      if (found.length > this.#limit) tooMany.push({ usage, values });
      else for (const key of found) if (!roots.has(key)) roots.set(key, undefined);
    }
    return tooMany;
  }

  /** Root keys that `usage` leads to from `values`, in key order, behind `after`, at most `limit`. */
  async climb(
    client: pg.ClientBase,
    usage: Usage,
    values: readonly string[],
    after: string | null,
    limit: number,
  ): Promise<string[]> {
    const sql = this.#climbs.get(usage) ?? null;
    if (sql === null) {
      // The values are the roots' keys; they go in the order of the list.
      const start = after === null ? 0 : values.indexOf(after) + 1;
      return values.slice(start, start + limit);
    }
    const root = rootTable(this.#model, usage.entity);
    const from =
      after === null
        ? root.columns.slice(0, root.keyLength).map(() => null)
        : keyParts(root, after);
    const rows = await preparedRows(client, sql, [arrayLiteral(values), limit, ...from]);
    return rows.map((row) => keyText(root, row));
  }
}

/** Keys of a root table, in key order, behind `after`. */
export async function keysBehind(
  client: pg.ClientBase,
  root: MirrorTable,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const key = root.columns.slice(0, root.keyLength);
  const list = key.map(({ name }) => ident(name)).join(', ');
  const from = key.map((column, i) => `$${i + 2}::${column.type}`).join(', ');
  const start = after === null ? key.map(() => null) : keyParts(root, after);
  const rows = await preparedRows(
    client,
    `select ${list} from ${mirrorName(root)}
     where $2::${key[0]?.type ?? 'text'} is null or (${list}) > (${from})
     order by ${list} limit $1`,
    [limit, ...start],
  );
  return rows.map((row) => keyText(root, row));
}

export function rootsOf(all: Map<string, Roots>, entity: string): Roots {
  let roots = all.get(entity);
  if (roots === undefined) {
    roots = new Map();
    all.set(entity, roots);
  }
  return roots;
}

function startValues(
  table: MirrorTable,
  usage: Usage,
  changed: readonly Changed[],
): readonly string[] {
  const column = usage.via ?? '';
  const index = table.columns.findIndex(({ name }) => name === column);
  const isKey = index < table.keyLength;
  const values = new Set<string>();
  for (const row of changed) {
    if (isKey && table.keyLength === 1) {
      values.add(row.key);
      continue;
    }
    const now = row.image?.[index];
    const before = row.old?.get(column);
    if (now != null) values.add(now);
    if (before != null) values.add(before);
  }
  return [...values];
}

/** The mirror of an entity's root table. */
export function rootTable(model: Model, entity: string): MirrorTable {
  return mirrorOf(model, model.entity.get(entity)?.shape.table.name ?? '');
}

function mirrorOf(model: Model, name: string): MirrorTable {
  const table = model.mirror.get(name);
  if (table === undefined) throw new TandemError('TABLE_MISSING', { side: 'mirror', table: name });
  return table;
}

function typeOf(table: MirrorTable, column: string): string {
  return table.columns.find(({ name }) => name === column)?.type ?? 'text';
}

/**
 * One query from the values of the changed rows to the keys of the roots, subselect in subselect.
 * Null where the values are the root's key already. Parameters: `$1` the values, `$2` a limit,
 * then one per key column: the key to go on behind, or nulls.
 */
function climbSql(model: Model, usage: Usage): string | null {
  const [first] = usage.climb;
  if (first === undefined) return null;
  const root = rootTable(model, usage.entity);
  const key = root.columns.slice(0, root.keyLength);
  const [onlyKey] = key;
  const leadsToKey = first.kind === 'join' && first.parentColumn === onlyKey?.name;
  if (usage.climb.length === 1 && key.length === 1 && leadsToKey) return null;

  const type = typeOf(mirrorOf(model, usage.table), usage.via ?? '');
  let inner = `select value from unnest($1::${type}[]) as start (value)`;
  usage.climb.slice(0, -1).forEach((step, i) => {
    const column = ident(usage.climb[i + 1]?.childColumn ?? '');
    inner = `select node.${column} from ${parentRows(model, step, inner)}`;
  });
  const last = usage.climb.at(-1) ?? first;
  const list = key.map(({ name }) => `node.${ident(name)}`).join(', ');
  const after = key.map((column, i) => `$${i + 3}::${column.type}`).join(', ');
  return `select distinct ${list} from ${parentRows(model, last, inner)}
    and ($3::${onlyKey?.type ?? 'text'} is null or (${list}) > (${after}))
    order by ${list} limit $2`;
}

/** `table as node where …`: the live parents of the rows whose values `inner` selects. */
function parentRows(model: Model, step: ClimbStep, inner: string): string {
  const parent = mirrorOf(model, step.parentTable);
  const from = `${mirrorName(parent)} as node where not node._deleted and`;
  if (step.kind === 'join') return `${from} node.${ident(step.parentColumn)} in (${inner})`;
  const idType = typeOf(parent, step.idColumn);
  const types = mirrorName(mirrorOf(model, step.typesTable));
  return `${from} node.${ident(step.idColumn)} in (select v::${idType} from (${inner}) as child (v))
    and node.${ident(step.typeColumn)} in (select id from ${types} as types
      where not types._deleted and types.app_label || '.' || types.model = ${literal(step.model)})`;
}
