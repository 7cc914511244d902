import type { Entity, Mapping } from './entity.ts';
import type { ColumnKind, Columns } from './legacy-table.ts';
import { probeEntity, type Learned, type ProbeProblem } from './probe.ts';
import type { LegacyTableNode, RelationNode, ShapeNode } from './shape.ts';

/** Something that is wrong with a mapping: which entity, where it is defined, what to do. */
export type MappingFinding = {
  readonly entity: string;
  /** File and line. */
  readonly at: string;
  readonly problem: string;
  readonly mend: string;
  /** A name that is perhaps misspelt, and those that it may have been meant to be. */
  readonly spelling?: Spelling;
};
type Spelling = { readonly name: string; readonly among: readonly string[] };

/** As much of a target table as the check needs. */
export type KnownTarget = {
  readonly columns: ReadonlyMap<
    string,
    {
      readonly notNull: boolean;
      readonly hasDefault: boolean;
      readonly references: string | null;
    }
  >;
};

/** A reference to an identity that no entity yields: right only where a seed row has it. */
export type OpenReference = {
  readonly entity: string;
  readonly at: string;
  readonly table: string;
  readonly column: string;
  readonly identity: string;
};

export type LearnedMapping = ReadonlyMap<Entity, Learned>;

/** Runs every entity's `map` on made-up rows. */
export function learnMapping(mapping: Mapping): LearnedMapping {
  return new Map(mapping.entities.map((entity) => [entity, probeEntity(entity)]));
}

/** Everything that can be found out without a database. */
export function checkMapping(mapping: Mapping, learned: LearnedMapping): readonly MappingFinding[] {
  return [
    ...sameNames(mapping),
    ...sameClaims(mapping),
    ...differentDeclarations(mapping),
    ...mapping.entities.flatMap(checkShape),
    ...[...learned].flatMap(([entity, { columns }]) => checkSums(entity, columns)),
    ...[...learned].flatMap(([entity, { problems }]) =>
      problems.map((problem) => probeFinding(entity, problem)),
    ),
  ];
}

function finding(
  entity: Entity,
  problem: string,
  mend: string,
  spelling?: Spelling,
): MappingFinding {
  const found = { entity: entity.name, at: entity.definedAt, problem, mend };
  return spelling === undefined ? found : { ...found, spelling };
}

function sameNames({ entities }: Mapping): MappingFinding[] {
  return entities.flatMap((entity, i) => {
    const first = entities.slice(0, i).find(({ name }) => name === entity.name);
    if (first === undefined) return [];
    const problem = `has the name of the entity at ${first.definedAt}`;
    return [finding(entity, problem, 'Give one of them another name.')];
  });
}

/** Ids are computed from the identity: two entities with one identity and one table collide. */
function sameClaims({ entities }: Mapping): MappingFinding[] {
  const claimed = new Map<string, Entity>();
  return entities.flatMap((entity) =>
    entity.targets.flatMap((table) => {
      const key = JSON.stringify([table, entity.identity]);
      const other = claimed.get(key);
      claimed.set(key, other ?? entity);
      if (other === undefined || other.name === entity.name) return [];
      const problem = `writes ${table} with the identity ${entity.identity}, as ${other.name} does (${other.definedAt})`;
      return [finding(entity, problem, 'Give one of them an `identity` or a target of its own.')];
    }),
  );
}

/** One legacy table that is declared twice, with another key. */
function differentDeclarations({ entities }: Mapping): MappingFinding[] {
  const keys = new Map<string, string>();
  const findings: MappingFinding[] = [];
  for (const entity of entities) {
    for (const table of tablesOf(entity.shape)) {
      const known = keys.get(table.name);
      keys.set(table.name, known ?? table.key.join(', '));
      if (known === undefined || known === table.key.join(', ')) continue;
      const problem = `reads ${table.name} with the key (${table.key.join(', ')}); another entity declares (${known})`;
      findings.push(finding(entity, problem, `Declare ${table.name} once, and import it.`));
    }
  }
  return findings;
}

/** All tables of a tree, those of `exists` and the content types included. */
export function tablesOf(node: ShapeNode): readonly LegacyTableNode[] {
  return [
    node.table,
    ...Object.values(node.relations).flatMap((relation): readonly LegacyTableNode[] => {
      switch (relation.kind) {
        case 'one':
        case 'many':
        case 'previous':
          return tablesOf(relation.node);
        case 'exists':
          return [relation.table];
        case 'generic':
          return [relation.types, ...Object.values(relation.models).flatMap(tablesOf)];
      }
    }),
  ];
}

/** What TypeScript has checked already, for mappings that were not compiled with it. */
function checkShape(entity: Entity): MappingFinding[] {
  const findings: MappingFinding[] = [];
  const unknown = (table: LegacyTableNode, columns: readonly string[], use: string) => {
    for (const column of columns) {
      const spec = (table.columns as Partial<Columns>)[column];
      if (spec === undefined) {
        const problem = `${use} ${table.name}.${column}, which its declaration lacks`;
        const among = Object.keys(table.columns);
        findings.push(
          finding(entity, problem, 'Correct the name, or declare the column.', {
            name: column,
            among,
          }),
        );
      } else if (spec.secret && use === 'selects') {
        const problem = `selects ${table.name}.${column}, which is marked neverRead`;
        findings.push(finding(entity, problem, 'Leave it out: a secret never leaves the source.'));
      }
    }
  };
  const visit = (node: ShapeNode): void => {
    unknown(node.table, node.table.key, 'needs the key column');
    unknown(node.table, node.columns, 'selects');
    for (const relation of Object.values(node.relations)) {
      for (const [table, columns] of joinsOf(node, relation)) unknown(table, columns, 'joins by');
      if (relation.kind === 'generic') Object.values(relation.models).forEach(visit);
      else if (relation.kind !== 'exists') visit(relation.node);
    }
  };
  visit(entity.shape);
  return findings;
}

/** Sums are of columns that `map` writes and the root selects, in the one row that a root has. */
function checkSums(entity: Entity, written: Learned['columns']): MappingFinding[] {
  if (entity.kind === 'journal') return [];
  const sums = Object.entries(entity.sums);
  if (sums.length > 0 && entity.fanOut) {
    const problem = 'declares sums, and a root of it may have several rows';
    return [finding(entity, problem, 'Leave out `sums`, or `fanOut`.')];
  }
  const target = entity.targets[0] ?? '';
  return sums.flatMap(([column, of]) => {
    const kind = (entity.shape.table.columns as Partial<Columns>)[of]?.kind;
    const root = `${entity.shape.table.name}.${of}`;
    if (written.get(target)?.has(column) !== true) {
      const problem = `sums ${target}.${column}, which map does not write`;
      return [finding(entity, problem, 'Correct the name in `sums`.')];
    }
    if (!entity.shape.columns.includes(of)) {
      const problem = `sums ${root}, which it does not select`;
      return [finding(entity, problem, 'Correct the name in `sums`, or select the column.')];
    }
    if (kind !== undefined && SUMMABLE.has(kind)) return [];
    const problem = `sums ${root}, which is ${kind ?? 'unknown'} and cannot be added up`;
    return [finding(entity, problem, 'Sum numeric and integer columns only.')];
  });
}

const SUMMABLE: ReadonlySet<ColumnKind> = new Set<ColumnKind>(['numeric', 'int2', 'int4', 'int8']);

function joinsOf(
  above: ShapeNode,
  relation: RelationNode,
): readonly (readonly [LegacyTableNode, readonly string[]])[] {
  switch (relation.kind) {
    case 'one':
    case 'many':
      return [
        [above.table, [relation.join.parentColumn]],
        [relation.node.table, [relation.join.childColumn]],
      ];
    case 'exists':
      return [
        [above.table, [relation.join.parentColumn]],
        [relation.table, [relation.join.childColumn]],
      ];
    case 'previous':
      return [[relation.node.table, [relation.within, ...relation.by]]];
    case 'generic':
      return [
        [above.table, [relation.typeColumn, relation.idColumn]],
        [relation.types, ['id', 'app_label', 'model']],
      ];
  }
}

function probeFinding(entity: Entity, problem: ProbeProblem): MappingFinding {
  switch (problem.kind) {
    case 'not read': {
      const { table, name, isColumn, names } = problem;
      const mend = isColumn
        ? `Add '${name}' to the select of ${table}.`
        : 'Correct the name, or add the relation with .with(…).';
      const text = `map uses \`${name}\` of ${table}, which is not read`;
      return finding(entity, text, mend, { name, among: names });
    }
    case 'threw': {
      const at = problem.at === null ? '' : ` at ${problem.at}`;
      const what = `map threw ${problem.message}${at}, given a row with ${problem.probe}`;
      return finding(entity, what, 'Return rejected(…) for a row that cannot be mapped.');
    }
    case 'not an outcome':
      return finding(
        entity,
        `map returned no outcome, given a row with ${problem.probe}`,
        'Return row(…), rows(…), held(…), excluded(…) or rejected(…).',
      );
    case 'foreign table':
      return finding(
        entity,
        `map writes the table ${problem.table}, which is not among its targets`,
        `Add '${problem.table}' to \`target\`.`,
      );
    case 'no id':
      return finding(
        entity,
        `map returns a row of ${problem.table} whose id is no reference`,
        `Start the row with id: ref('${entity.name}', root.id).`,
      );
    case 'other id':
      return finding(
        entity,
        `map returns a row of ${problem.table} whose id is not the root's own (identity ${problem.identity})`,
        `Use ref('${entity.kind === 'derived' ? entity.identity : entity.name}', root key), or set fanOut: true.`,
      );
  }
}

/** References whose identity no entity yields for the table that the foreign key names. */
export function openReferences(learned: LearnedMapping): readonly OpenReference[] {
  const yielded = new Set<string>();
  for (const [entity, { columns }] of learned) {
    yielded.add(entity.identity);
    for (const written of columns.values()) {
      for (const identity of written.get('id') ?? []) yielded.add(identity);
    }
  }
  return [...learned].flatMap(([entity, { columns }]) =>
    [...columns].flatMap(([table, written]) =>
      [...written].flatMap(([column, identities]) =>
        [...identities]
          .filter((identity) => column !== 'id' && !yielded.has(identity))
          .map((identity) => ({
            entity: entity.name,
            at: entity.definedAt,
            table,
            column,
            identity,
          })),
      ),
    ),
  );
}

/** Columns that `map` writes and the target lacks. Only tables that exist are looked at. */
export function unknownTargetColumns(
  learned: LearnedMapping,
  targets: ReadonlyMap<string, KnownTarget>,
): readonly MappingFinding[] {
  return [...learned].flatMap(([entity, { columns }]) =>
    [...columns].flatMap(([table, written]) => {
      const known = targets.get(table)?.columns;
      if (known === undefined) return [];
      return [...written.keys()]
        .filter((column) => !known.has(column))
        .map((column) =>
          finding(
            entity,
            `writes ${table}.${column}, which the target does not have`,
            'Correct the name, or add the column with a migration.',
            { name: column, among: [...known.keys()] },
          ),
        );
    }),
  );
}

/** Columns that a row must have, and that `map` was not seen to write. A trigger may fill them. */
export function forgottenColumns(
  learned: LearnedMapping,
  targets: ReadonlyMap<string, KnownTarget>,
): readonly MappingFinding[] {
  return [...learned].flatMap(([entity, { columns }]) =>
    [...columns].flatMap(([table, written]) =>
      [...(targets.get(table)?.columns ?? [])]
        .filter(([name, it]) => it.notNull && !it.hasDefault && !written.has(name))
        .map(([name]) =>
          finding(
            entity,
            `does not write ${table}.${name}, which is not null and has no default`,
            'Add it to the rows of map, or give it a default with a migration; else every row is refused, unless a trigger fills it.',
          ),
        ),
    ),
  );
}

/**
 * Entities that wait for each other for ever: the table of each has a not-null foreign key to a
 * table of the next. The engine orders entities by tables, so tables are what counts.
 */
export function notNullCycles(
  { entities }: Mapping,
  targets: ReadonlyMap<string, KnownTarget>,
): readonly MappingFinding[] {
  const derived = entities.filter(({ kind }) => kind === 'derived');
  const parents = new Map<Entity, ReadonlySet<Entity>>();
  for (const entity of derived) {
    const needed = new Set(
      entity.targets.flatMap((table) =>
        [...(targets.get(table)?.columns.values() ?? [])].flatMap(({ notNull, references }) =>
          notNull && references !== null ? [references] : [],
        ),
      ),
    );
    const makers = derived.filter((it) => it !== entity && it.targets.some((t) => needed.has(t)));
    parents.set(entity, new Set(makers));
  }
  return firstCycle(parents);
}

function firstCycle(parents: ReadonlyMap<Entity, ReadonlySet<Entity>>): MappingFinding[] {
  const done = new Set<Entity>();
  const path: Entity[] = [];
  const visit = (entity: Entity): Entity[] | null => {
    const at = path.indexOf(entity);
    if (at !== -1) return path.slice(at);
    if (done.has(entity)) return null;
    path.push(entity);
    for (const parent of parents.get(entity) ?? []) {
      const cycle = visit(parent);
      if (cycle !== null) return cycle;
    }
    path.pop();
    done.add(entity);
    return null;
  };
  for (const entity of parents.keys()) {
    const cycle = visit(entity);
    if (cycle === null) continue;
    const names = [...cycle, cycle[0]].map((one) => one?.name).join(' → ');
    return [
      finding(
        cycle[0] ?? entity,
        `not-null references in a circle: ${names}`,
        'Make one of these columns nullable with a migration: as it is, none of the rows can be first.',
      ),
    ];
  }
  return [];
}
