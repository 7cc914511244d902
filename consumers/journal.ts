import type pg from 'pg';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import {
  execute,
  preparedRows,
  statementError,
  textRows,
} from '../connectors/postgres/connection.ts';
import type { JournalEntity } from '../core/entity.ts';
import { TandemError, type ErrorCode } from '../core/errors.ts';
import { Ref } from '../core/outcome.ts';
import { BEFORE_ALL, compareVersions, formatLsn, type Lsn, type Version } from '../core/version.ts';
import type { Image } from '../core/mirror-table.ts';
import { checkNow } from './check-now.ts';
import { fill, type TableChanges, type Update } from './collapse.ts';
import { existingIds } from './existence.ts';
import { deletedParents, excludeEntry, giveUpWaiting, waitForParents } from './journal-waiting.ts';
import { TreeLoader } from './load-tree.ts';
import type { TableMerge } from './merge.ts';
import type { Model, TargetTable } from './model.ts';
import { references } from './resolve.ts';
import { RowsBehind } from './rows-behind.ts';
import { encodeRow, targetName, writtenColumns } from './write-rows.ts';

/** A journal row on its way: appended once its parents are there. */
type Entry = {
  readonly entity: JournalEntity;
  readonly id: string;
  readonly step: Pick<Update, 'key' | 'version'>;
  readonly cells: ReadonlyMap<string, string | null>;
  readonly refs: readonly {
    readonly column: string;
    readonly table: string;
    readonly notNull: boolean;
    readonly ref: Ref;
  }[];
};

/** A change that the mapping or the target refuses: it goes to quarantine, the rest goes on. */
type Refusal = {
  readonly entity: JournalEntity;
  /** The row's key and the version of the change; of one that waited, the id of its entry. */
  readonly key: string;
  readonly version: Version;
  readonly code: ErrorCode;
  readonly message: string;
};

/**
 * Appends what was seen: one row per captured update, fed before a batch is reduced to one image
 * per key and before the merge overwrites the stored row.
 */
export class Journals {
  readonly #model: Model;
  readonly #consistentAfter: ReadonlyMap<string, Lsn>;
  readonly #loaders: ReadonlyMap<JournalEntity, TreeLoader>;
  #entries: Entry[] = [];
  #refusals: Refusal[] = [];
  /** By entity and key: when the newest entry was made. */
  #last = new Map<string, { readonly at: string; readonly isNew: boolean }>();

  /** @param consistentAfter by table: up to there the copy may be newer than the stream */
  constructor(model: Model, consistentAfter: ReadonlyMap<string, Lsn>) {
    this.#model = model;
    this.#consistentAfter = consistentAfter;
    this.#loaders = new Map(
      model.journals.map((entity) => [entity, new TreeLoader(entity.shape, model.mirror)]),
    );
  }

  forget(): void {
    this.#entries = [];
    this.#refusals = [];
    this.#last = new Map();
  }

  /** Entries and refusals that are kept here until they are appended. */
  get size(): number {
    return this.#entries.length + this.#refusals.length;
  }

  /** The journals that have something to append: they are locked before their parents are looked for. */
  waiting(): Set<string> {
    return new Set(this.#entries.map(({ entity }) => entity.name));
  }

  /** Collects the updates of one table. Call before its merge. */
  async collect(client: pg.ClientBase, changes: TableChanges, merge: TableMerge): Promise<void> {
    const journals = this.#model.journalsOf.get(changes.table.name) ?? [];
    const from = this.#consistentAfter.get(changes.table.name);
    const steps = changes.steps.filter((s) => from === undefined || s.version.commitLsn > from);
    if (journals.length === 0 || steps.length === 0) return;
    const keys = [...new Set(steps.map((step) => step.key))];
    const stored = await merge.stored(client, keys);
    for (const journal of journals) await this.#readLast(client, journal, keys);
    const isShared = changes.through === 'log';
    const behind = await RowsBehind.read(client, changes.table.name, isShared ? keys : []);
    for (const step of steps) {
      const known = stored.get(step.key);
      const isLate = known !== undefined && compareVersions(step.version, known.version) <= 0;
      if (step.kind !== 'update') {
        behind.pass(step, known);
        const image = step.kind === 'create' ? step.image : null;
        if (!isLate) stored.set(step.key, { image, version: step.version });
        continue;
      }
      // Late: the merge will reject it, so nothing was seen, unless a key change has gone ahead.
      const base = isLate ? behind.before(step) : (known?.image ?? null);
      if (isLate && base === null) continue;
      const sent = isLate ? null : step.before;
      const before = sent === null || base === null ? (sent ?? base) : fill(sent, base);
      if (before === null) continue;
      const after = fill(step.image, before);
      if (isLate) behind.moveOn(step, after);
      else stored.set(step.key, { image: after, version: step.version });
      for (const journal of journals) {
        try {
          this.#add(journal, step, before, after);
        } catch (error) {
          // The message of what a mapping threw may quote a value of the row.
          const isOurs = error instanceof TandemError;
          const message = isOurs ? error.message : `threw in ${journal.definedAt}`;
          this.#refuse(journal, step, isOurs ? error.code : 'MAPPING_THREW', message);
        }
      }
    }
    await behind.write(client);
  }

  #refuse(
    entity: JournalEntity,
    { key, version }: Entry['step'],
    code: ErrorCode,
    message: string,
  ): void {
    const { commitLsn, changeLsn } = version;
    const name = `${key} ${formatLsn(commitLsn)} ${formatLsn(changeLsn)}`;
    this.#refusals.push({ entity, key: name, version, code, message });
  }

  /** When each key's newest entry was made, as far as this transaction does not know it. */
  async #readLast(
    client: pg.ClientBase,
    entity: JournalEntity,
    keys: readonly string[],
  ): Promise<void> {
    const rows = await preparedRows(
      client,
      'select root_key, at from tandem.journal_last where entity = $1 and root_key = any($2::text[])',
      [entity.name, arrayLiteral(keys)],
    );
    for (const [key, at] of rows) {
      const name = lastKey(entity, key ?? '');
      if (!this.#last.has(name)) this.#last.set(name, { at: at ?? '', isNew: false });
    }
  }

  #add(entity: JournalEntity, step: Update, before: Image, after: Image): void {
    const loader = this.#loaders.get(entity);
    if (loader === undefined) return;
    const change = {
      before: loader.tree(before) as never,
      after: loader.tree(after) as never,
      version: step.version satisfies Version,
      at: step.committedAt,
      previousAt: this.#last.get(lastKey(entity, step.key))?.at ?? null,
    };
    const outcome = entity.map(change);
    if (outcome.kind === 'rejected') {
      this.#refuse(entity, step, 'MAPPING_REJECTED_ROW', outcome.reason);
    }
    if (outcome.kind !== 'rows') return;
    this.#last.set(lastKey(entity, step.key), { at: step.committedAt, isNew: true });
    const table = this.#target(entity);
    const foreign = new Map(references(table));
    for (const { row } of outcome.rows) {
      const columns = writtenColumns(table, row);
      const values = encodeRow(table, columns, row);
      const refs = Object.entries(row).flatMap(([column, value]) => {
        const parent = foreign.get(column);
        return value instanceof Ref && parent !== undefined
          ? [{ column, ref: value, ...parent }]
          : [];
      });
      const cells = new Map(columns.map((column, i) => [column.name, values[i] ?? null]));
      this.#entries.push({ entity, id: row.id.uuid, step, cells, refs });
    }
  }

  #target(entity: JournalEntity): TargetTable {
    const table = this.#model.targets.get(entity.targets[0] ?? '');
    if (table === undefined) throw new TandemError('TABLE_MISSING', { entity: entity.name });
    return table;
  }

  /**
   * Appends what was collected; what lacks a not-null parent waits for it. Call after deriving.
   *
   * @param carefully sets aside the rows that the target refuses, with savepoints
   */
  async append(client: pg.ClientBase, carefully: boolean): Promise<void> {
    const entries = this.#entries;
    const last = [...this.#last].filter(([, { isNew }]) => isNew);
    this.#entries = [];
    this.#last = new Map();
    await this.#appendEntries(client, entries, last, carefully);
    await this.#quarantine(client);
  }

  async #appendEntries(
    client: pg.ClientBase,
    entries: readonly Entry[],
    last: Parameters<typeof writeLast>[1],
    carefully: boolean,
  ): Promise<void> {
    if (entries.length === 0) return;
    await writeLast(client, last);
    const missing = await this.#missing(client, entries);
    const isLacking = (parent: Entry['refs'][number]) =>
      missing.has(`${parent.table} ${parent.ref.uuid}`);
    const needed = entries.flatMap(({ refs }) => refs.filter((r) => r.notNull && isLacking(r)));
    const gone = await deletedParents(client, this.#model, needed);
    for (const entry of entries) {
      const lacking = entry.refs.filter(isLacking);
      const cells = new Map(entry.cells);
      for (const { column, notNull } of lacking) if (!notNull) cells.set(column, null);
      const holding = lacking.filter((r) => r.notNull);
      if (holding.length === 0) await this.#insert(client, { ...entry, cells }, carefully);
      else if (holding.some(({ table, ref }) => gone.has(`${table} ${ref.uuid}`))) {
        await excludeEntry(client, entry.entity, entry.id);
      } else await waitForParents(client, this.#model, entry, cells, holding);
    }
  }

  async #missing(client: pg.ClientBase, entries: readonly Entry[]): Promise<Set<string>> {
    const wanted = new Map<string, Set<string>>();
    for (const { refs } of entries) {
      for (const { table, ref } of refs) {
        let ids = wanted.get(table);
        if (ids === undefined) wanted.set(table, (ids = new Set<string>()));
        ids.add(ref.uuid);
      }
    }
    const missing = new Set<string>();
    for (const [table, ids] of wanted) {
      const there = await existingIds(client, table, [...ids]);
      for (const id of ids) if (!there.has(id)) missing.add(`${table} ${id}`);
    }
    return missing;
  }

  async #insert(
    client: pg.ClientBase,
    { entity, step, cells }: Pick<Entry, 'entity' | 'step' | 'cells'>,
    carefully: boolean,
  ): Promise<void> {
    const names = [...cells.keys()];
    if (carefully) await execute(client, 'savepoint appending');
    try {
      await execute(
        client,
        `insert into ${targetName(entity.targets[0] ?? '')} (${names.map(ident).join(', ')})
         values (${names.map((_, i) => `$${i + 1}`).join(', ')}) on conflict (id) do nothing`,
        [...cells.values()],
      );
      if (!carefully) return;
      await checkNow(client);
      await execute(client, 'release savepoint appending');
    } catch (error) {
      const named = statementError('target', error, 'append');
      if (!carefully || named.retry === 'timed') throw named;
      await execute(client, 'rollback to savepoint appending');
      this.#refuse(entity, step, 'TARGET_REFUSED_ROW', named.message);
    }
  }

  async #quarantine(client: pg.ClientBase): Promise<void> {
    const refusals = this.#refusals;
    this.#refusals = [];
    for (const { entity, key, version, code, message } of refusals) {
      const { commitLsn, changeLsn } = version;
      await execute(
        client,
        `insert into tandem.quarantine (entity, root_key, source_table, source_commit_lsn,
           source_change_lsn, error_class, message)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing`,
        [
          entity.name,
          key,
          entity.shape.table.name,
          formatLsn(commitLsn),
          formatLsn(changeLsn),
          code,
          message,
        ],
      );
    }
  }

  /** Rows that will not come any more, by table: their roots are gone. */
  async giveUp(client: pg.ClientBase, gone: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const [table, ids] of gone) {
      const { journals, refersTo, entity } = this.#model;
      const concerned = journals.filter(({ name }) =>
        [...(refersTo.get(name) ?? [])].some((parent) =>
          entity.get(parent)?.targets.includes(table),
        ),
      );
      if (concerned.length > 0) await giveUpWaiting(client, concerned, table, ids);
    }
  }

  /** Appends entries that waited, now that a parent has come; those that still lack one stay. */
  async wake(
    client: pg.ClientBase,
    entity: JournalEntity,
    keys: readonly string[],
    carefully: boolean,
  ): Promise<void> {
    const rows = await textRows(
      client,
      `delete from tandem.journal_waiting as waiting
       where entity = $1 and root_key = any($2::text[]) and not exists (
         select from tandem.held where entity = waiting.entity and root_key = waiting.root_key
           and not tandem.row_exists(parent_table, parent_id))
       returning root_key, change`,
      [entity.name, arrayLiteral(keys)],
    );
    for (const [key, change] of rows) {
      const cells = JSON.parse(change ?? '{}') as Record<string, string | null>;
      // An entry that waited has its version in its id only.
      const step = { key: key ?? '', version: BEFORE_ALL };
      const entry = { entity, step, cells: new Map(Object.entries(cells)) };
      await this.#insert(client, entry, carefully);
      await execute(client, 'delete from tandem.held where entity = $1 and root_key = $2', [
        entity.name,
        key,
      ]);
    }
    await this.#quarantine(client);
  }
}

const lastKey = (entity: JournalEntity, key: string) => JSON.stringify([entity.name, key]);

async function writeLast(
  client: pg.ClientBase,
  last: readonly (readonly [string, { readonly at: string }])[],
): Promise<void> {
  const names = last.map(([name]) => JSON.parse(name) as [string, string]);
  await preparedRows(
    client,
    `insert into tandem.journal_last (entity, root_key, at)
     select * from unnest($1::text[], $2::text[], $3::timestamptz[])
     on conflict (entity, root_key) do update set at = excluded.at`,
    [
      arrayLiteral(names.map(([entity]) => entity)),
      arrayLiteral(names.map(([, key]) => key)),
      arrayLiteral(last.map(([, { at }]) => at)),
    ],
  );
}
