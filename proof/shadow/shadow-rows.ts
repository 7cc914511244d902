import type pg from 'pg';
import { execute, preparedRows, statementError } from '../../connectors/postgres/connection.ts';
import { arrayLiteral, columnLiteral, ident } from '../../connectors/postgres/sql.ts';
import { existingIds } from '../../consumers/existence.ts';
import type { Model } from '../../consumers/model.ts';
import { TandemError } from '../../core/errors.ts';
import type { ExpectedRow } from '../target/compare-rows.ts';
import type { RowGroup } from '../target/expected-rows.ts';
import type { Sink } from '../target/findings.ts';
import type { MarkFault, RowFault } from '../target/target-proof.ts';
import { CHANGES } from './shadow-schema.ts';
import { ShadowTable } from './shadow-table.ts';

/** More refused roots of one entity are not looked for one by one: the mapping does not fit. */
const MOST_REFUSED = 1_000;
const CHANGE = { missing: 'inserted', different: 'changed', extra: 'removed' } as const;

type Change = { readonly kind: keyof typeof CHANGE; readonly fault: RowFault };

/** The rows of one shadow, as a run fills it: a session in a transaction, in the run's snapshot. */
export class ShadowRows {
  readonly #client: pg.ClientBase;
  readonly #schema: string;
  readonly #model: Model;
  readonly #tables = new Map<string, ShadowTable>();
  readonly #refused = new Map<string, number>();
  #changes: Change[] = [];
  #arrivals = new Map<string, string[]>();
  readonly #promised = new Map<string, Set<string>>();

  constructor(client: pg.ClientBase, schema: string, model: Model) {
    this.#client = client;
    this.#schema = schema;
    this.#model = model;
  }

  /** The copies that were made, by target table. */
  get tables(): ReadonlyMap<string, ShadowTable> {
    return this.#tables;
  }

  /** Makes the copy where there is none yet. */
  async table(name: string): Promise<ShadowTable> {
    let table = this.#tables.get(name);
    if (table === undefined) {
      const live = this.#model.targets.get(name);
      if (live === undefined)
        throw new TandemError('TABLE_MISSING', { side: 'target', table: name });
      table = await ShadowTable.make(this.#client, this.#schema, live);
      this.#tables.set(name, table);
    }
    return table;
  }

  /**
   * Writes what roots yield. Of roots with a row that the table's rules refuse nothing is written:
   * they are returned, with what was refused.
   *
   * @throws TandemError `ENTITY_STOPPED` where they are too many
   */
  async write(
    entity: string,
    groups: readonly RowGroup[],
  ): Promise<ReadonlyMap<string, TandemError>> {
    const inserts: Insert[] = [];
    for (const { table, columns, rows } of groups) {
      const copy = await this.table(table.name);
      inserts.push({ copy, columns, rows, sql: await copy.prepare(this.#client, columns) });
    }
    const refused = new Map<string, TandemError>();
    for (;;) {
      await execute(this.#client, 'savepoint page');
      const found = new Map<string, TandemError>();
      const counts: number[] = [];
      for (const insert of inserts) {
        const rows = insert.rows.filter(({ root }) => !refused.has(root));
        counts.push(await this.#insert(entity, { ...insert, rows }, found));
      }
      if (found.size === 0) {
        await execute(this.#client, 'release savepoint page');
        for (const [i, { copy }] of inserts.entries()) copy.rows += counts[i] ?? 0;
        return refused;
      }
      await execute(this.#client, 'rollback to savepoint page');
      for (const [root, error] of found) refused.set(root, error);
    }
  }

  /** Halves what fails until the refused rows stand alone. */
  async #insert(
    entity: string,
    insert: Insert,
    refused: Map<string, TandemError>,
  ): Promise<number> {
    const { copy, sql, columns, rows } = insert;
    if (rows.length === 0) return 0;
    await execute(this.#client, 'savepoint part');
    try {
      const count = await copy.insert(this.#client, sql, columns, rows);
      await execute(this.#client, 'release savepoint part');
      return count;
    } catch (error) {
      const named = statementError('target', error, 'shadow');
      // A value that its type does not take, or that a rule of the table refuses.
      if (!/^2[23]/.test(String(named.details['sqlstate']))) throw named;
      await execute(this.#client, 'rollback to savepoint part');
      const [only] = rows;
      if (only !== undefined && rows.length === 1) {
        this.#refuse(entity, only.root, named, refused);
        return 0;
      }
    }
    const half = rows.length >> 1;
    const first = await this.#insert(entity, { ...insert, rows: rows.slice(0, half) }, refused);
    return first + (await this.#insert(entity, { ...insert, rows: rows.slice(half) }, refused));
  }

  #refuse(
    entity: string,
    root: string,
    error: TandemError,
    refused: Map<string, TandemError>,
  ): void {
    refused.set(root, error);
    const count = (this.#refused.get(entity) ?? 0) + 1;
    this.#refused.set(entity, count);
    if (count <= MOST_REFUSED) return;
    const { table = '', column = '', constraint = '', sqlstate = '' } = error.details;
    const facts = { entity, refused: count, sqlstate, table, column, constraint };
    throw new TandemError('ENTITY_STOPPED', facts, error);
  }

  /** Which of these ids the live table holds, or would. */
  lookUp: typeof existingIds = async (client, table, ids) => {
    const there = await existingIds(client, table, ids);
    const promised = this.#promised.get(table);
    for (const id of ids) if (promised?.has(id) === true) there.add(id);
    const copy = this.#tables.get(table);
    const rest = ids.filter((id) => !there.has(id));
    if (copy === undefined || rest.length === 0) return there;
    return new Set([...there, ...(await copy.ids(this.#client, rest))]);
  };

  /** A row will be written later: rows that refer to each other need one that is first. */
  promise(table: string, id: string): void {
    const ids = this.#promised.get(table);
    if (ids === undefined) this.#promised.set(table, new Set([id]));
    else ids.add(id);
  }

  /** Notes what differs on its way to `findings`; a row without any root is nobody's. */
  noting(findings: Sink): Sink {
    return {
      row: (kind, fault) => {
        findings.row(kind, fault);
        if (fault.root === null) return;
        this.#changes.push({ kind, fault });
        if (kind !== 'missing') return;
        const ids = this.#arrivals.get(fault.table);
        if (ids === undefined) this.#arrivals.set(fault.table, [fault.id]);
        else ids.push(fault.id);
      },
      mark: (fault: MarkFault) => findings.mark(fault),
    };
  }

  /** Writes what was noted of an entity; also tells the server that this session is alive. */
  async flush(entity: string): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    const removed = changes.filter(({ kind }) => kind === 'extra');
    for (const table of new Set(removed.map(({ fault }) => fault.table))) {
      const copy = await this.table(table);
      const ids = removed.filter(({ fault }) => fault.table === table).map(({ fault }) => fault.id);
      await copy.addRemoved(this.#client, ids);
    }
    await preparedRows(
      this.#client,
      `insert into ${ident(this.#schema)}.${CHANGES}
         (entity, root_key, target_table, id, change, columns)
       select $1, root_key, target_table, id, change, columns::text[]
       from unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[])
         as noted (root_key, target_table, id, change, columns)`,
      [
        entity,
        columnLiteral(changes, ({ fault }) => fault.root),
        columnLiteral(changes, ({ fault }) => fault.table),
        columnLiteral(changes, ({ fault }) => fault.id),
        columnLiteral(changes, ({ kind }) => CHANGE[kind]),
        columnLiteral(changes, ({ fault }) => arrayLiteral(fault.columns)),
      ],
    );
  }

  /** Ids of rows that the live tables lack, noted since this was asked last. */
  takeArrivals(): ReadonlyMap<string, readonly string[]> {
    const arrivals = this.#arrivals;
    this.#arrivals = new Map();
    return arrivals;
  }
}

type Insert = {
  readonly copy: ShadowTable;
  readonly sql: string;
  readonly columns: RowGroup['columns'];
  readonly rows: readonly ExpectedRow[];
};
