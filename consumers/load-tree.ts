import type pg from 'pg';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import { preparedRows, type TextRow } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { ColumnKind } from '../core/legacy-table.ts';
import { keyParts, type Image, type MirrorTable } from '../core/mirror-table.ts';
import type { RelationNode, ShapeNode } from '../core/shape.ts';
import { mirrorName } from './mirror-schema.ts';

/** What `map` is given: columns by name, relations by name. */
type Tree = Record<string, unknown>;
/** A row on its way to a tree: the text values that joins need, and the object `map` will see. */
type Loaded = { readonly image: Image; readonly tree: Tree };

const CONVERT: Readonly<Record<ColumnKind, ((text: string) => unknown) | null>> = {
  int2: Number,
  int4: Number,
  int8: BigInt,
  bool: (text) => text === 't',
  text: null,
  numeric: null,
  date: null,
  timestamptz: null,
  timestamp: null,
  uuid: null,
  bytea: null,
  json: null,
};

type Field = {
  readonly name: string;
  readonly index: number;
  readonly convert: ((text: string) => unknown) | null;
};

/** Reads the trees of an entity's shape from the mirror, level by level, for many roots at once. */
export class TreeLoader {
  readonly root: MirrorTable;
  readonly #mirror: ReadonlyMap<string, MirrorTable>;
  readonly #shape: ShapeNode;
  readonly #fields = new Map<ShapeNode, readonly Field[]>();

  constructor(shape: ShapeNode, mirror: ReadonlyMap<string, MirrorTable>) {
    this.#shape = shape;
    this.#mirror = mirror;
    this.root = this.#table(shape.table.name);
  }

  /** The trees of these root rows (whole images of the root table), in the same order. */
  async load(client: pg.ClientBase, images: readonly Image[]): Promise<Tree[]> {
    const rows = this.#start(this.#shape, images);
    await this.#relations(client, this.#shape, rows);
    return rows.map((row) => row.tree);
  }

  /** One root without its relations: what a journal sees. */
  tree(image: Image): Tree {
    return makeTree(this.#fieldsOf(this.#shape), image);
  }

  /** Live root rows by key. */
  async rootsByKey(client: pg.ClientBase, keys: readonly string[]): Promise<Image[]> {
    const key = this.root.columns.slice(0, this.root.keyLength);
    const parts = keys.map((text) => keyParts(this.root, text));
    const arrays = key.map((_, i) => arrayLiteral(parts.map((part) => part[i] ?? null)));
    const types = key.map((column, i) => `$${i + 1}::${column.type}[]`).join(', ');
    const names = key.map(({ name }) => ident(name)).join(', ');
    const join = key.map(({ name }) => `wanted.${ident(name)} = node.${ident(name)}`).join(' and ');
    return preparedRows(
      client,
      `select ${columnList(this.root)} from unnest(${types}) as wanted (${names})
       join ${mirrorName(this.root)} as node on ${join} where not node._deleted`,
      arrays,
    );
  }

  #table(name: string): MirrorTable {
    const table = this.#mirror.get(name);
    if (table === undefined)
      throw new TandemError('TABLE_MISSING', { side: 'mirror', table: name });
    return table;
  }

  #start(shape: ShapeNode, images: readonly Image[]): Loaded[] {
    const fields = this.#fieldsOf(shape);
    return images.map((image) => ({ image, tree: makeTree(fields, image) }));
  }

  #fieldsOf(shape: ShapeNode): readonly Field[] {
    let fields = this.#fields.get(shape);
    if (fields === undefined) {
      const table = this.#table(shape.table.name);
      fields = shape.columns.map((name) => ({
        name,
        index: table.columns.findIndex((column) => column.name === name),
        convert: CONVERT[shape.table.columns[name]?.kind ?? 'text'],
      }));
      this.#fields.set(shape, fields);
    }
    return fields;
  }

  async #relations(
    client: pg.ClientBase,
    shape: ShapeNode,
    rows: readonly Loaded[],
  ): Promise<void> {
    if (rows.length === 0) return;
    // The driver sends them one after the other without waiting for answers.
    await Promise.all(
      Object.entries(shape.relations).map(([name, relation]) =>
        this.#relation(client, this.#table(shape.table.name), name, relation, rows),
      ),
    );
  }

  async #relation(
    client: pg.ClientBase,
    above: MirrorTable,
    name: string,
    relation: RelationNode,
    rows: readonly Loaded[],
  ): Promise<void> {
    switch (relation.kind) {
      case 'one':
      case 'many': {
        const from = indexOf(above, relation.join.parentColumn);
        const groups = await this.#byColumn(
          client,
          relation.node,
          relation.join.childColumn,
          distinct(rows, from),
        );
        for (const row of rows) {
          const group = groups.get(row.image[from] ?? '') ?? [];
          row.tree[name] = relation.kind === 'many' ? group : (group[0] ?? null);
        }
        return;
      }
      case 'exists': {
        const from = indexOf(above, relation.join.parentColumn);
        const found = await this.#existing(client, relation, distinct(rows, from));
        for (const row of rows) row.tree[name] = found.has(row.image[from] ?? '');
        return;
      }
      case 'previous':
        await this.#previous(client, above, name, relation, rows);
        return;
      case 'generic':
        await this.#generic(client, above, name, relation, rows);
        return;
    }
  }

  /** Live rows whose `column` has one of the values, with their own relations, in key order. */
  async #byColumn(
    client: pg.ClientBase,
    shape: ShapeNode,
    column: string,
    values: readonly string[],
  ): Promise<Map<string, Tree[]>> {
    const groups = new Map<string, Tree[]>();
    if (values.length === 0) return groups;
    const table = this.#table(shape.table.name);
    const type = table.columns[indexOf(table, column)]?.type ?? 'text';
    const images = await preparedRows(
      client,
      `select ${columnList(table)} from ${mirrorName(table)} as node
       where not node._deleted and node.${ident(column)} = any($1::${type}[])
       order by ${keyList(table)}`,
      [arrayLiteral(values)],
    );
    const rows = this.#start(shape, images);
    await this.#relations(client, shape, rows);
    const index = indexOf(table, column);
    for (const row of rows) {
      const value = row.image[index] ?? '';
      const group = groups.get(value);
      if (group === undefined) groups.set(value, [row.tree]);
      else group.push(row.tree);
    }
    return groups;
  }

  async #existing(
    client: pg.ClientBase,
    relation: RelationNode & { kind: 'exists' },
    values: readonly string[],
  ): Promise<Set<string>> {
    if (values.length === 0) return new Set();
    const table = this.#table(relation.table.name);
    const column = relation.join.childColumn;
    const type = table.columns[indexOf(table, column)]?.type ?? 'text';
    const rows = await preparedRows(
      client,
      `select value from unnest($1::${type}[]) as wanted (value)
       where exists (select from ${mirrorName(table)} as node
         where not node._deleted and node.${ident(column)} = wanted.value)`,
      [arrayLiteral(values)],
    );
    return new Set(rows.map((row) => row[0] ?? ''));
  }

  async #previous(
    client: pg.ClientBase,
    above: MirrorTable,
    name: string,
    relation: RelationNode & { kind: 'previous' },
    rows: readonly Loaded[],
  ): Promise<void> {
    const { within, by, node: shape } = relation;
    const key = above.columns.slice(0, above.keyLength).map((column) => column.name);
    const order = [...by, ...key.filter((column) => !by.includes(column))];
    const given = [within, ...order].map((column, i) => {
      const type = above.columns[indexOf(above, column)]?.type ?? 'text';
      return { column, type, parameter: `$${i + 1}::${type}[]` };
    });
    const list = (prefix: string) => order.map((c) => `${prefix}.${ident(c)}`).join(', ');
    const found = await preparedRows(
      client,
      `select wanted.position, before.*
       from unnest(${given.map((g) => g.parameter).join(', ')}) with ordinality
         as wanted (${given.map((g) => ident(g.column)).join(', ')}, position)
       cross join lateral (
         select ${columnList(above)} from ${mirrorName(above)} as node
         where not node._deleted and node.${ident(within)} = wanted.${ident(within)}
           and (${list('node')}) < (${list('wanted')})
         order by ${order.map((c) => `node.${ident(c)} desc`).join(', ')} limit 1
       ) as before`,
      given.map((g) => {
        const index = indexOf(above, g.column);
        return arrayLiteral(rows.map((row) => row.image[index] ?? null));
      }),
    );
    const before = this.#start(
      shape,
      found.map((row) => row.slice(1)),
    );
    await this.#relations(client, shape, before);
    for (const row of rows) row.tree[name] = null;
    found.forEach((line, i) => {
      const row = rows[Number(line[0]) - 1];
      if (row !== undefined) row.tree[name] = before[i]?.tree ?? null;
    });
  }

  async #generic(
    client: pg.ClientBase,
    above: MirrorTable,
    name: string,
    relation: RelationNode & { kind: 'generic' },
    rows: readonly Loaded[],
  ): Promise<void> {
    const typeIndex = indexOf(above, relation.typeColumn);
    const idIndex = indexOf(above, relation.idColumn);
    const models = await this.#modelNames(client, relation, distinct(rows, typeIndex));
    const wanted = new Map<string, Set<string>>();
    for (const row of rows) {
      const model = models.get(row.image[typeIndex] ?? '');
      const id = row.image[idIndex];
      if (model === undefined || id == null || !Object.hasOwn(relation.models, model)) continue;
      const ids = wanted.get(model);
      if (ids === undefined) wanted.set(model, new Set([id]));
      else ids.add(id);
    }
    const found = new Map<string, Map<string, Tree[]>>();
    for (const [model, ids] of wanted) {
      const shape = relation.models[model];
      const key = shape?.table.key[0];
      if (shape === undefined || key === undefined) continue;
      found.set(model, await this.#byColumn(client, shape, key, [...ids]));
    }
    for (const row of rows) {
      const model = models.get(row.image[typeIndex] ?? '') ?? null;
      const id = row.image[idIndex];
      if (model === null || id == null || !Object.hasOwn(relation.models, model)) {
        row.tree[name] = { model: null, unlisted: id == null ? null : model };
      } else {
        row.tree[name] = { model, id: Number(id), row: found.get(model)?.get(id)?.[0] ?? null };
      }
    }
  }

  async #modelNames(
    client: pg.ClientBase,
    relation: RelationNode & { kind: 'generic' },
    typeIds: readonly string[],
  ): Promise<Map<string, string>> {
    if (typeIds.length === 0) return new Map();
    const types = this.#table(relation.types.name);
    const type = types.columns[indexOf(types, 'id')]?.type ?? 'integer';
    const rows: TextRow[] = await preparedRows(
      client,
      `select node.id, node.app_label || '.' || node.model from ${mirrorName(types)} as node
       where not node._deleted and node.id = any($1::${type}[])`,
      [arrayLiteral(typeIds)],
    );
    return new Map(rows.map((row) => [row[0] ?? '', row[1] ?? '']));
  }
}

function makeTree(fields: readonly Field[], image: Image): Tree {
  const tree: Tree = {};
  for (const { name, index, convert } of fields) {
    const cell = image[index] ?? null;
    tree[name] = cell === null || convert === null ? cell : convert(cell);
  }
  return tree;
}

const indexOf = (table: MirrorTable, column: string): number =>
  table.columns.findIndex(({ name }) => name === column);
const columnList = (table: MirrorTable) =>
  table.columns.map(({ name }) => `node.${ident(name)}`).join(', ');
const keyList = (table: MirrorTable) =>
  table.columns
    .slice(0, table.keyLength)
    .map(({ name }) => `node.${ident(name)}`)
    .join(', ');

function distinct(rows: readonly Loaded[], index: number): string[] {
  const values = new Set<string>();
  for (const row of rows) {
    const value = row.image[index];
    if (value != null) values.add(value);
  }
  return [...values];
}
