import type pg from 'pg';
import { execute, statementError } from '../connectors/postgres/connection.ts';
import type { DerivedEntity } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import type { Counts, RootOutcome } from '../core/ports.ts';
import { uuidOf } from '../core/uuid.ts';
import type { Roots } from './affected.ts';
import { countOutcomes } from './count-outcomes.ts';
import { Existence } from './existence.ts';
import { TreeLoader } from './load-tree.ts';
import { legacyKey, mapRoots, type Mapped, type PlannedRow } from './map-roots.ts';
import { presentMarks, syncMarks } from './marks.ts';
import type { Model, TargetTable } from './model.ts';
import { Resolver, type Resolved, type Seen } from './resolve.ts';
import {
  encodeCell,
  pick,
  removeRows,
  targetName,
  upsertRows,
  rowWriter,
  writeRows,
  writtenColumns,
  type RowColumns,
  type RowWriter,
} from './write-rows.ts';
import { replaceYielded } from './yielded.ts';

/** Roots that the database refused, by entity: they go to quarantine and the rest is tried again. */
export type Refused = Map<string, Map<string, TandemError>>;

export type DeriveResult = {
  /** New target rows by table: what waits for them is derived again. */
  readonly arrivals: Map<string, string[]>;
  /** Rows that will not come, by table: their root is not in the source any more. */
  readonly gone: Map<string, string[]>;
  /** Roots derived, by entity and by what became of them. */
  readonly outcomes: Map<string, Counts<RootOutcome>>;
  readonly refused: Refused;
  /** Entities with roots that went to quarantine. */
  readonly quarantined: Set<string>;
  /** To be learnt once the transaction has committed. */
  readonly seen: readonly Seen[];
};

type SetNulls = ReadonlySet<string>;

/**
 * Derives roots into target rows inside the caller's transaction: map all, then decide which
 * parents exist, then write, parents first. Whoever calls holds the entities' locks.
 */
export class Deriver {
  readonly #model: Model;
  readonly #existence = new Existence();
  readonly #loaders = new Map<string, TreeLoader>();
  readonly #writers = new Map<string, RowWriter>();
  readonly #maxRefused: number;

  /** `maxRefused`: as many rows of one entity in one batch may be refused before it stops. */
  constructor(model: Model, maxRefused: number) {
    this.#model = model;
    this.#maxRefused = maxRefused;
    for (const entity of model.entities) {
      this.#loaders.set(entity.name, new TreeLoader(entity.shape, model.mirror));
    }
  }

  loader(entity: string): TreeLoader {
    const loader = this.#loaders.get(entity);
    if (loader === undefined) throw new Error(`no entity ${entity}`);
    return loader;
  }

  /** Rows that are in the target for good. */
  learn(seen: readonly Seen[]): void {
    for (const { table, ref } of seen) this.#existence.learn(table, ref);
  }

  /** Forgets which target rows exist: after a rollback that may mean that one is gone. */
  forget(): void {
    this.#existence.forget();
  }

  /**
   * @param carefully finds the rows that the database refuses, one by one, with savepoints; then
   *   nothing of the batch is written if `refused` is not empty, and the caller goes again. It also
   *   asks for every parent: one that was known may have been removed by somebody
   */
  async derive(
    client: pg.ClientBase,
    affected: ReadonlyMap<string, Roots>,
    refused: Refused,
    carefully: boolean,
  ): Promise<DeriveResult> {
    const work = new Map<DerivedEntity, Mapped[]>();
    for (const entity of this.#model.entities) {
      const roots = affected.get(entity.name);
      if (roots === undefined || roots.size === 0) continue;
      const mapped = await mapRoots(client, entity, this.loader(entity.name), roots);
      work.set(
        entity,
        mapped.map((root) => withRefusal(root, refused.get(entity.name))),
      );
    }
    const resolver = new Resolver(this.#model, carefully ? new Existence() : this.#existence);
    const resolved = await resolver.resolve(client, work);
    const result: DeriveResult = {
      arrivals: new Map(),
      gone: new Map(),
      outcomes: new Map(),
      refused: new Map(),
      quarantined: new Set(),
      seen: resolver.seen,
    };
    // Children first, and before anything is written: a value that a removed row had is free then.
    for (const [entity, roots] of [...resolved].reverse()) {
      try {
        await this.#remove(client, entity, roots);
      } catch (error) {
        throw carefully ? stoppedBy(entity, error) : error;
      }
    }
    for (const [entity, roots] of resolved) {
      // Asked now, answered behind the rows: one wait less.
      const present = presentMarks(client, entity, roots);
      present.catch(() => undefined);
      const asked = carefully ? undefined : affected.get(entity.name);
      try {
        await this.#write(client, entity, roots, resolver, result, carefully, asked);
      } catch (error) {
        throw carefully ? stoppedBy(entity, error) : error;
      }
      if (result.refused.size > 0) return result;
      await syncMarks(client, this.#model, entity, roots, await present);
      this.#noteGone(entity, roots, result.gone);
      const outcomes = countOutcomes(roots);
      result.outcomes.set(entity.name, outcomes);
      if (outcomes.quarantined !== undefined) result.quarantined.add(entity.name);
    }
    return result;
  }

  #noteGone(entity: DerivedEntity, roots: readonly Resolved[], gone: DeriveResult['gone']): void {
    const deleted = roots.filter((root) => root.mapped.kind === 'gone');
    if (deleted.length === 0 || entity.fanOut) return;
    const table = this.loader(entity.name).root;
    const ids = deleted.map((root) => uuidOf(entity.identity, legacyKey(table, root.key)));
    for (const name of entity.targets) gone.set(name, [...(gone.get(name) ?? []), ...ids]);
  }

  async #write(
    client: pg.ClientBase,
    entity: DerivedEntity,
    roots: readonly Resolved[],
    resolver: Resolver,
    result: DeriveResult,
    carefully: boolean,
    asked: Roots | undefined,
  ): Promise<void> {
    const byTable = new Map<string, Line[]>();
    for (const root of roots) {
      if (root.mapped.kind !== 'rows' || root.heldBy.length > 0) continue;
      const nulls: SetNulls | null =
        root.unresolved.length === 0
          ? null
          : new Set(root.unresolved.map((m) => `${m.targetTable} ${m.targetId} ${m.column}`));
      for (const planned of root.mapped.rows) {
        const lines = byTable.get(planned.table);
        const line = { root: root.key, planned, nulls };
        if (lines === undefined) byTable.set(planned.table, [line]);
        else lines.push(line);
      }
    }
    for (const [name, lines] of byTable) {
      const table = this.#target(name);
      const writer = this.writerFor(
        entity,
        table,
        lines.map((line) => line.planned),
      );
      if (carefully) {
        this.#refuseIncomplete(entity, table, writer, lines, result.refused);
        if (result.refused.size > 0) return;
        await execute(client, 'select tandem.check_at_once($1)', [targetName(name)]);
      }
      const rows = encodeLines(table, writer, lines);
      const fresh = carefully
        ? await this.#upsertCarefully(client, entity, writer, lines, rows, result.refused)
        : await writeRows(client, writer, rows, likelyThere(lines, asked));
      if (result.refused.size > 0) return;
      if (fresh.length > 0)
        result.arrivals.set(name, [...(result.arrivals.get(name) ?? []), ...fresh]);
      for (const { planned } of lines) resolver.wrote(name, planned.row.id);
    }
  }

  #target(name: string): TargetTable {
    const table = this.#model.targets.get(name);
    if (table === undefined)
      throw new TandemError('TABLE_MISSING', { side: 'target', table: name });
    return table;
  }

  /** The statement for an entity's rows of a table, with all columns that one of them had so far. */
  writerFor(entity: DerivedEntity, table: TargetTable, planned: readonly PlannedRow[]): RowWriter {
    const name = `${entity.name} ${table.name}`;
    let writer = this.#writers.get(name);
    for (const { row } of planned) {
      if (writer !== undefined && Object.keys(row).length <= writer.columns.length) continue;
      const columns = [...(writer?.columns ?? [])];
      for (const column of writtenColumns(table, row)) {
        if (!columns.includes(column)) columns.push(column);
      }
      writer = rowWriter(table, columns);
      this.#writers.set(name, writer);
    }
    if (writer === undefined) throw new Error('no row to learn the columns from');
    return writer;
  }

  /** Rows of a path of the mapping that leaves a column out. */
  #refuseIncomplete(
    entity: DerivedEntity,
    table: TargetTable,
    writer: RowWriter,
    lines: readonly Line[],
    refused: Refused,
  ): void {
    for (const line of lines) {
      try {
        encodeLines(table, writer, [line]);
      } catch (error) {
        this.refuse(entity.name, line.root, statementError('target', error, 'encode'), refused);
      }
    }
  }

  /** @throws TandemError `ENTITY_STOPPED` where that is one too many */
  refuse(entity: string, root: string, error: TandemError, refused: Refused): void {
    const known = refused.get(entity) ?? new Map<string, TandemError>();
    known.set(root, error);
    refused.set(entity, known);
    if (known.size > this.#maxRefused) {
      throw new TandemError('ENTITY_STOPPED', { entity, refused: known.size }, error);
    }
  }

  /** Rows that these roots do not yield any more. */
  async #remove(
    client: pg.ClientBase,
    entity: DerivedEntity,
    roots: readonly Resolved[],
  ): Promise<void> {
    if (entity.fanOut) {
      const gone = await replaceYielded(client, entity, roots);
      for (const name of entity.targets.toReversed()) {
        const ids = gone.filter((row) => row.table === name).map((row) => row.id);
        await removeRows(client, this.#target(name), ids);
      }
      return;
    }
    const table = this.loader(entity.name).root;
    const ids = roots
      .filter((root) => root.mapped.kind !== 'refused')
      .filter((root) => root.mapped.kind !== 'rows' || root.heldBy.length > 0)
      .map((root) => uuidOf(entity.identity, legacyKey(table, root.key)));
    for (const name of entity.targets.toReversed()) {
      await removeRows(client, this.#target(name), ids);
    }
  }

  /** Halves a refused list until the refused rows stand alone. */
  async #upsertCarefully(
    client: pg.ClientBase,
    entity: DerivedEntity,
    writer: RowWriter,
    lines: readonly Line[],
    rows: RowColumns,
    refused: Refused,
  ): Promise<string[]> {
    await execute(client, 'savepoint narrowing');
    try {
      const fresh = await upsertRows(client, writer, rows);
      await execute(client, 'release savepoint narrowing');
      return fresh;
    } catch (error) {
      const named = statementError('target', error, 'upsert');
      if (named.retry === 'timed' || isAboutTheTable(named)) throw named;
      await execute(client, 'rollback to savepoint narrowing');
      const [only, ...others] = lines;
      if (only !== undefined && others.length === 0) {
        this.refuse(entity.name, only.root, named, refused);
        return [];
      }
    }
    const half = lines.length >> 1;
    const places = [...lines.keys()];
    const part = (from: number, to: number) =>
      this.#upsertCarefully(
        client,
        entity,
        writer,
        lines.slice(from, to),
        pick(rows, places.slice(from, to)),
        refused,
      );
    const first = await part(0, half);
    const second = await part(half, lines.length);
    return [...first, ...second];
  }
}

/** A table or column that is not there, or is of another type: no row of the entity can be written. */
export function isAboutTheTable({ details }: TandemError): boolean {
  return ['42P01', '42703', '42804', '42P10', '428C9'].includes(String(details['sqlstate']));
}

/** Only this entity cannot go on: the others do. */
function stoppedBy(entity: DerivedEntity, error: unknown): TandemError {
  const named = statementError('target', error, `write ${entity.name}`);
  if (!isAboutTheTable(named)) return named;
  const { sqlstate = '', table = entity.targets.join(' '), column } = named.details;
  const facts = {
    entity: entity.name,
    sqlstate,
    table,
    ...(column === undefined ? {} : { column }),
  };
  return new TandemError('ENTITY_STOPPED', facts, error);
}

function encodeLines(table: TargetTable, writer: RowWriter, lines: readonly Line[]): RowColumns {
  return writer.columns.map((column) =>
    lines.map(({ planned, nulls }) => {
      const isNull = nulls?.has(`${table.name} ${planned.id} ${column.name}`) ?? false;
      const cell = encodeCell(table, column, planned.row);
      return isNull ? null : cell;
    }),
  );
}

/** Roots whose own row was there before, or is not what has changed. */
function likelyThere(lines: readonly Line[], asked: Roots | undefined): number[] {
  if (asked === undefined) return [];
  return [...lines.keys()].filter((i) => {
    const root = lines[i]?.root ?? '';
    return asked.changed?.has(root) === true || asked.get(root) === undefined;
  });
}

type Line = {
  readonly root: string;
  readonly planned: PlannedRow;
  readonly nulls: SetNulls | null;
};

function withRefusal(root: Mapped, refused: ReadonlyMap<string, TandemError> | undefined): Mapped {
  const error = refused?.get(root.key);
  if (error === undefined) return root;
  const code = root.outcome.kind === 'gone' ? 'TARGET_REFUSED_REMOVAL' : 'TARGET_REFUSED_ROW';
  return { key: root.key, outcome: { kind: 'refused', code, message: error.message } };
}
