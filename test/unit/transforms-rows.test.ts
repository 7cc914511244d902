import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Choices, makeTree } from '../../cli/mapping-doc/synthetic-trees.ts';
import { dependenciesOf } from '../../cli/mapping-doc/dependencies.ts';
import { readWords } from '../../cli/mapping-doc/source-code.ts';
import { readEnums, readTargetColumns } from '../../cli/mapping-doc/target-columns.ts';
import type { DerivedEntity, Entity } from '../../core/entity.ts';
import type { TargetRow } from '../../core/outcome.ts';
import { parseLsn } from '../../core/version.ts';
import type { RelationNode, ShapeNode } from '../../core/shape.ts';
import mapping from '../../transforms/mapping.ts';

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'supabase', 'migrations');
const tables = readTargetColumns(MIGRATIONS);
const enums = readEnums(MIGRATIONS);
const entities = mapping.entities.map((entity): [string, Entity] => [entity.name, entity]);

/** Rows of made-up trees. That `map` never throws on any of them is part of every test here. */
function rowsOf(entity: Entity, count = 300): TargetRow[] {
  const words = readWords(entity.definedAt.replace(/:\d+$/, ''));
  const choices = new Choices(7, words);
  return Array.from({ length: count }, (_, i) => {
    choices.isBare = i % 2 === 1;
    const outcome = entity.map(rootOf(entity, choices) as never);
    return outcome.kind === 'rows' ? outcome.rows.map(({ row }) => row) : [];
  }).flat();
}

function rootOf(entity: Entity, choices: Choices): unknown {
  const tree = makeTree(entity.shape, choices, 5);
  if (entity.kind === 'derived') return tree;
  return {
    before: makeTree(entity.shape, choices, 5),
    after: tree,
    version: { commitLsn: parseLsn('16/B374D848'), changeLsn: parseLsn('0/1') },
    at: '2025-03-01 12:00:00+00',
  };
}

test.each(entities)('%s: every path yields the same columns', (_, entity) => {
  const sets = rowsOf(entity).map((row) => Object.keys(row).join());
  expect(sets.length).toBeGreaterThan(20);
  expect(new Set(sets).size).toBe(1);
});

test.each(entities)(
  '%s: writes the columns of its table that are its own, and no other',
  (_, entity) => {
    const columns = tables.get(entity.targets[0] ?? '') ?? [];
    const own = columns.filter((it) => it.owner === 'replication' && it.waitsFor === null);
    const [row = {}] = rowsOf(entity);
    expect(Object.keys(row).sort()).toEqual(own.map(({ name }) => name).sort());
  },
);

test.each(entities)(
  '%s: no null where the table wants a value, no word that its type lacks',
  (_, entity) => {
    const columns = tables.get(entity.targets[0] ?? '') ?? [];
    for (const row of rowsOf(entity)) {
      for (const { name, type, notNull } of columns) {
        const value = row[name];
        if (value === undefined) continue;
        if (notNull) expect(value, name).not.toBeNull();
        const words = enums.get(type);
        if (typeof value === 'string' && words !== undefined) expect(words, name).toContain(value);
      }
    }
  },
);

test.each(entities)('%s: reads no column that nothing depends on', (_, entity) => {
  const words = readWords(entity.definedAt.replace(/:\d+$/, ''));
  const paths = [...dependenciesOf(entity, words).values()].flatMap((found) => [...found]);
  const used = new Set(paths.map((path) => path.split('.').slice(-2).join('.')));
  expect(
    selectedColumns(entity.shape).filter((path) => !used.has(path) && !used.has(`after.${path}`)),
  ).toEqual([]);
});

/** `relation.column` of everything selected but keys. */
function selectedColumns(shape: ShapeNode, name = '', above: readonly ShapeNode[] = []): string[] {
  const joins = Object.values(shape.relations).flatMap(joinColumns);
  const own = shape.columns.filter((it) => !shape.table.key.includes(it) && !joins.includes(it));
  const below = Object.entries(shape.relations).flatMap(([relation, it]) =>
    nodesOf(it).flatMap((node) => selectedColumns(node, relation, [...above, shape])),
  );
  const isRepeated = above.some((it) => it.table === shape.table && above.length > 4);
  return isRepeated
    ? []
    : [...own.map((column) => (name === '' ? column : `${name}.${column}`)), ...below];
}

function joinColumns(relation: RelationNode): readonly string[] {
  return relation.kind === 'one' || relation.kind === 'many' ? [relation.join.parentColumn] : [];
}

function nodesOf(relation: RelationNode): readonly ShapeNode[] {
  if (relation.kind === 'exists') return [];
  return relation.kind === 'generic' ? Object.values(relation.models) : [relation.node];
}

test('ids are of the entity that the row belongs to, with the key of its root', () => {
  const derived = mapping.entities.filter((it): it is DerivedEntity => it.kind === 'derived');
  for (const entity of derived) {
    for (const { id } of rowsOf(entity, 40)) {
      expect([id.identity, id.key]).toEqual([entity.identity, 5]);
    }
  }
});

test('no secret column is read (T92)', () => {
  const visit = (shape: ShapeNode): void => {
    for (const column of shape.columns) expect(shape.table.columns[column]?.secret).toBe(false);
    for (const relation of Object.values(shape.relations)) nodesOf(relation).forEach(visit);
  };
  for (const { shape } of mapping.entities) visit(shape);
});
