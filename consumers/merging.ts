import { execute } from '../connectors/postgres/connection.ts';
import { ident } from '../connectors/postgres/sql.ts';
import type { ChangeEvent, TableTruncated } from '../core/change-event.ts';
import { TandemError } from '../core/errors.ts';
import { truncateAction } from '../core/truncate-policy.ts';
import { formatLsn, type Lsn } from '../core/version.ts';
import { Affected, rootsOf, type FanOut, type Roots } from './affected.ts';
import type { ApplyContext } from './apply-context.ts';
import { AT_ONCE, bigTable, meetThemselves, slicesOf } from './big-table.ts';
import { collapse, type TableChanges } from './collapse.ts';
import type { Derivation } from './derivation.ts';
import type { InactiveEntities } from './inactive-entities.ts';
import { addJob, MOST_IN_BATCH, usageName } from './jobs.ts';
import type { Journals } from './journal.ts';
import { lockTables } from './locks.ts';
import { TableMerge } from './merge.ts';
import { mirrorName } from './mirror-schema.ts';
import { sideBySide } from './side-by-side.ts';
import type { TargetTransaction } from './target-transaction.ts';

/** Behind every position. */
const END = 0xffff_ffff_ffff_ffffn as Lsn;

/** Takes out the roots that are rows of the merged table itself. */
function ownRoots(roots: Map<string, Roots>): Map<string, Roots> {
  const own = new Map<string, Roots>();
  for (const [entity, all] of roots) {
    const mine: Roots = new Map();
    for (const [key, image] of all) {
      if (image === undefined) continue;
      mine.set(key, image);
      all.delete(key);
    }
    if (all.changed !== undefined) mine.changed = all.changed;
    if (mine.size > 0) own.set(entity, mine);
  }
  return own;
}

function addRoots(to: Map<string, Roots>, roots: ReadonlyMap<string, Roots>): void {
  for (const [entity, all] of roots) {
    const known = rootsOf(to, entity);
    for (const [key, image] of all) known.set(key, image);
  }
}

/** Merges changes into the mirror inside a transaction, and notes which roots they concern. */
export class Merging {
  readonly #context: ApplyContext;
  readonly #derivation: Derivation;
  readonly #inactive: InactiveEntities;
  readonly #journals: Journals;
  readonly #merges: ReadonlyMap<string, TableMerge>;
  readonly #affected: Affected;

  /**
   * @param serverVersion of the target, as `server_version_num` gives it
   * @param aheadUntil by table: up to where its rows may be newer than the stream
   */
  constructor(
    context: ApplyContext,
    parts: { derivation: Derivation; inactive: InactiveEntities; journals: Journals },
    serverVersion: number,
    aheadUntil: ReadonlyMap<string, Lsn>,
  ) {
    const { model, options } = context;
    this.#context = context;
    this.#derivation = parts.derivation;
    this.#inactive = parts.inactive;
    this.#journals = parts.journals;
    this.#merges = new Map(
      [...model.mirror.values()].map((table) => [
        table.name,
        new TableMerge(
          table,
          model.usagesOf.get(table.name) ?? [],
          serverVersion,
          options.trustedFrom?.get(table.name),
          options.joining?.has(table.name) === true ? END : aheadUntil.get(table.name),
        ),
      ]),
    );
    this.#affected = new Affected(model, Math.min(options.maxRoots, MOST_IN_BATCH));
  }

  get affected(): Affected {
    return this.#affected;
  }

  /** Merges events, table by table. A large batch of one table is derived while it is merged. */
  async merge(tx: TargetTransaction, events: readonly ChangeEvent[]): Promise<void> {
    tx.note(events);
    let start = 0;
    for (let i = 0; i <= events.length; i++) {
      const event = events[i];
      if (event !== undefined && event.kind !== 'truncate') continue;
      if (i > start) {
        const isAll = i - start === events.length;
        const tables = this.#collapse(isAll ? events : events.slice(start, i));
        const big = tx.carefully || !isAll ? null : bigTable(tables);
        if (big !== null) await this.#mergeAndDerive(tx, tables, big);
        else {
          await tx.phase('lock', () => lockTables(this.#context.client, tables.keys()));
          await this.#mergeTables(tx, tables, tx.affected.memory);
        }
        await tx.affected.settle(this.#context.client);
      }
      if (event !== undefined) await this.#truncate(tx, event);
      start = i + 1;
    }
  }

  /**
   * A batch with very many changes of one table: it goes in slices of neighbouring keys, and while
   * one is mapped here, the server works on another. The other tables go first. What a slice
   * derives at once are the roots that are its own rows, so no two slices derive the same root; the
   * roots that its rows lead to wait for the end. All locks are taken first, so that their order
   * stays the same for everybody.
   */
  async #mergeAndDerive(
    tx: TargetTransaction,
    tables: ReadonlyMap<string, TableChanges>,
    big: TableChanges,
  ): Promise<void> {
    const { client, model } = this.#context;
    const usages = [...tables.keys()].flatMap((table) => model.usagesOf.get(table) ?? []);
    const entities = this.#inactive.without(usages.map((usage) => usage.entity));
    await tx.phase('lock', async () => {
      await lockTables(client, tables.keys());
      await this.#derivation.lock(tx, entities);
    });
    const rest = new Map([...tables].filter(([, changes]) => changes !== big));
    if (rest.size > 0) {
      await this.#mergeTables(tx, rest, tx.affected.memory);
      const roots = await tx.affected.take(client, []);
      if (roots.size > 0) await tx.phase('derive', () => this.#derivation.derive(tx, roots));
    }
    await this.#merges.get(big.table.name)?.carry(client, big.finals.values());
    await this.#slices(tx, big);
  }

  async #slices(tx: TargetTransaction, big: TableChanges): Promise<void> {
    const { model } = this.#context;
    const rooted = model.entities.filter((entity) => entity.shape.table.name === big.table.name);
    const atOnce = meetThemselves(model, rooted) ? 1 : AT_ONCE;
    await sideBySide(slicesOf(big), atOnce, (slice) => this.#slice(tx, slice));
  }

  /** Merges a slice and derives the roots that are its own rows. */
  async #slice(tx: TargetTransaction, slice: TableChanges): Promise<void> {
    const roots = new Map<string, Roots>();
    await this.#mergeTables(tx, new Map([[slice.table.name, slice]]), roots);
    const own = ownRoots(roots);
    addRoots(tx.affected.memory, roots);
    await tx.affected.settle(this.#context.client);
    await tx.phase('derive', () => this.#derivation.derive(tx, own));
  }

  #collapse(events: readonly ChangeEvent[]): Map<string, TableChanges> {
    const { model, options } = this.#context;
    return collapse(events, (table) => model.journalsOf.has(table), options.through);
  }

  /** The tables are locked. */
  async #mergeTables(
    tx: TargetTransaction,
    tables: ReadonlyMap<string, TableChanges>,
    into: Map<string, Roots>,
  ): Promise<void> {
    const { client, reader } = this.#context;
    const results = await tx.phase('merge', async () => {
      const merged = [];
      for (const name of [...tables.keys()].sort()) {
        const changes = tables.get(name);
        const merge = this.#merges.get(name);
        if (changes === undefined || merge === undefined) continue;
        if (changes.steps.length > 0) await this.#journals.collect(client, changes, merge);
        merged.push({ table: changes.table, changed: await merge.run(client, changes, reader) });
      }
      return merged;
    });
    const concerned = new Set<string>();
    for (const { changed } of results) {
      for (const row of changed) for (const usage of row.concerned) concerned.add(usage.entity);
    }
    await tx.phase('lock', () => this.#derivation.lock(tx, this.#inactive.without(concerned)));
    await tx.phase('affected', async () => {
      const isActive = (entity: string) => !this.#inactive.has(entity);
      for (const { table, changed } of results) {
        const tooMany = await this.#affected.collect(client, table, changed, into, isActive);
        for (const fanOut of tooMany) await this.#defer(fanOut);
      }
    });
  }

  async #defer({ usage, values }: FanOut): Promise<void> {
    const { client, observer } = this.#context;
    const reason = `${usage.table} changed`;
    await addJob(client, { entity: usage.entity, usage: usageName(usage), values, reason });
    observer.event('job added', { entity: usage.entity, reason, values: values.length });
  }

  async #truncate(tx: TargetTransaction, event: TableTruncated): Promise<void> {
    const { client, model, observer, options } = this.#context;
    const table = event.table.name;
    const action = truncateAction(options.onTruncate, table);
    if (action === 'stop') throw new TandemError('TRUNCATE_REFUSED', { table });
    observer.event('truncate', { table, action }, 'warn');
    if (action === 'ignore') return;
    // Rows that were read before it and are on their way would come to life behind it.
    // So would those that a log holds in other partitions: the table is read anew instead.
    const isInLog = options.through === 'log';
    if (isInLog || options.joining?.has(table) === true) {
      throw new TandemError('TABLE_JOINING', { table });
    }
    await lockTables(client, [table]);
    const { commitLsn, changeLsn } = event.version;
    const rest = event.table.columns
      .slice(event.table.keyLength)
      .map((column) => `${ident(column.name)} = null, `);
    await execute(
      client,
      `update ${mirrorName(event.table)} set ${rest.join('')}_deleted = true,
         _commit_lsn = $1, _change_lsn = $2
       where not _deleted and (_commit_lsn, _change_lsn) < ($1::pg_lsn, $2::pg_lsn)`,
      [formatLsn(commitLsn), formatLsn(changeLsn)],
    );
    const entities = new Set((model.usagesOf.get(table) ?? []).map((usage) => usage.entity));
    await this.#derivation.lock(tx, entities);
    for (const entity of entities) {
      await addJob(client, { entity, usage: null, values: null, reason: `${table} truncated` });
    }
  }
}
