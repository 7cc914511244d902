import type pg from 'pg';
import { arrayLiteral, columnLiteral } from '../connectors/postgres/sql.ts';
import { preparedRows, type TextRow } from '../connectors/postgres/connection.ts';
import {
  keyParts,
  keyText,
  type Image,
  type MirrorColumn,
  type MirrorTable,
} from '../core/mirror-table.ts';
import type { SourceReader } from '../core/ports.ts';
import type { Usage } from '../core/usage.ts';
import { compareVersions, formatLsn, parseLsn, type Lsn, type Version } from '../core/version.ts';
import { fill, type Final, type TableChanges } from './collapse.ts';
import {
  deleteStatement,
  incompleteStatement,
  mergeOutput,
  readByKeyStatement,
  updateStatement,
  upsertStatement,
  type MergeOutput,
} from './merge-sql.ts';
import { groupBy } from './model.ts';
import { keepBehind, type RowBehind } from './rows-behind.ts';

/** A mirror row that a merge changed. */
export type Changed = {
  readonly key: string;
  /** The row as it is now, complete, in the mirror's column order; null: it is a tombstone now. */
  readonly image: Image | null;
  /** Old values by column, where climbs start; null where there was no row. */
  readonly old: ReadonlyMap<string, string | null> | null;
  /** The usages that the change concerns. */
  readonly concerned: readonly Usage[];
};

const NO_VALUES: ReadonlyMap<string, string | null> = new Map();

/** SQL of one table, made once. */
export class TableMerge {
  readonly table: MirrorTable;
  readonly #output: MergeOutput;
  readonly #upsert: string;
  readonly #delete: string;
  readonly #incomplete: string;
  readonly #readByKey: string;
  readonly #updates = new Map<string, string>();
  readonly #usagesByFlags = new Map<string, readonly Usage[]>();
  readonly #trustedFrom: Lsn;
  readonly #keyOf = (final: Final): string => keyText(this.table, final.key);
  #aheadUntil: Lsn;

  /**
   * @param serverVersion of the target, as `server_version_num` gives it
   * @param trustedFrom rows with an older version do not complete an update that leaves values out
   * @param aheadUntil up to there the mirror may hold rows as they were later
   */
  constructor(
    table: MirrorTable,
    usages: readonly Usage[],
    serverVersion: number,
    trustedFrom = 0n as Lsn,
    aheadUntil = 0n as Lsn,
  ) {
    this.table = table;
    this.#aheadUntil = aheadUntil;
    this.#trustedFrom = trustedFrom;
    this.#output = mergeOutput(usages, table, serverVersion);
    this.#upsert = upsertStatement(table, this.#output);
    this.#delete = deleteStatement(table, this.#output);
    this.#incomplete = incompleteStatement(table);
    this.#readByKey = readByKeyStatement(table);
  }

  /** What the mirror holds by key, with its version; a tombstone has no image. */
  async stored(
    client: pg.ClientBase,
    keys: readonly string[],
  ): Promise<Map<string, { image: Image | null; version: Version }>> {
    const rows = await preparedRows(client, this.#readByKey, this.#keyArrays(keys));
    const n = this.table.columns.length;
    return new Map(
      rows.map((row) => [
        keyText(this.table, row),
        {
          image: row[n + 2] === 't' ? null : row.slice(0, n),
          version: { commitLsn: parseLsn(row[n] ?? ''), changeLsn: parseLsn(row[n + 1] ?? '') },
        },
      ]),
    );
  }

  /**
   * Writes the newest image of every key, and returns the rows that changed: those whose stored
   * version was older. Rows that the stream alone cannot complete are read again from the source.
   */
  async run(
    client: pg.ClientBase,
    changes: TableChanges,
    reader: SourceReader,
  ): Promise<Changed[]> {
    const finals = [...changes.finals.values()];
    await this.carry(client, finals);
    const whole: Final[] = [];
    const partial: Final[] = [];
    const gone: Final[] = [];
    for (const final of finals) {
      if (final.image === null) gone.push(final);
      else if (final.image.includes(undefined)) partial.push(final);
      else whole.push(final);
    }
    const missing = await this.#withoutRow(client, partial);
    const asked = await this.#meant(client, missing);
    if (asked.length > 0) {
      const isJournaled = changes.through === 'log' && changes.isJournaled;
      const rows = isJournaled ? await this.#asTold(client, asked) : [];
      const version = await this.#readAgain(client, reader, asked, whole, gone);
      if (isJournaled) await keepBehind(client, this.table, rows, version);
    }
    const changed: Changed[] = [];
    const columns = this.table.columns;
    if (whole.length > 0) changed.push(...(await this.#writeWhole(client, whole)));
    const left = partial.filter((final) => !missing.includes(final));
    const groups = groupBy(
      left,
      (final) => final.image?.map((c) => (c === undefined ? '-' : '+')).join('') ?? '',
    );
    for (const [mask, group] of groups) {
      const present = columns.filter((_, i) => mask[i] === '+');
      changed.push(...(await this.#write(client, this.#update(mask, present), present, group)));
    }
    if (gone.length > 0) {
      const key = columns.slice(0, this.table.keyLength);
      changed.push(...(await this.#write(client, this.#delete, key, gone)));
    }
    return changed;
  }

  /** Rows that are most likely there are updated; those that were not touched go the sure way. */
  async #writeWhole(client: pg.ClientBase, whole: readonly Final[]): Promise<Changed[]> {
    const columns = this.table.columns;
    const mayUpdate = columns.length > this.table.keyLength;
    const known = mayUpdate ? whole.filter((final) => final.isUpdate) : [];
    if (known.length === 0) return this.#write(client, this.#upsert, columns, whole);
    const changed = await this.#write(client, this.#update('', columns), columns, known);
    const done = new Set(changed.map((row) => row.key));
    const rest = whole.filter((final) => !final.isUpdate || !done.has(this.#keyOf(final)));
    if (rest.length > 0) changed.push(...(await this.#write(client, this.#upsert, columns, rest)));
    return changed;
  }

  /**
   * A moved row takes its unsent values from the mirror row of its old key, if that is still the row
   * that moved: what was copied ahead of the stream may be another one that came to this key later,
   * and so may what is there when a key change comes late. One that is there under its new key
   * already (copied late) keeps its own. Part of `run`; call it before where a batch is merged in
   * parts, for the old key may be in an earlier one.
   */
  async carry(client: pg.ClientBase, finals: Iterable<Final>): Promise<void> {
    const moved: { readonly final: Final; readonly from: string; readonly leftAt: Version }[] = [];
    for (const final of finals) {
      const { carriedFrom, image } = final;
      if (carriedFrom === null || final.mustRead || !image?.includes(undefined)) continue;
      const { key: from, leftAt } = carriedFrom;
      if (leftAt.commitLsn > this.#aheadUntil) moved.push({ final, from, leftAt });
    }
    if (moved.length === 0) return;
    const keys = moved.flatMap(({ final, from }) => [from, this.#keyOf(final)]);
    const stored = await this.stored(client, [...new Set(keys)]);
    for (const { final, from, leftAt } of moved) {
      const older = stored.get(from);
      const hasOwn =
        !final.isAnotherRow && (stored.get(this.#keyOf(final))?.image ?? null) !== null;
      if (older?.image == null || hasOwn || final.image === null) continue;
      if (compareVersions(older.version, leftAt) >= 0) continue;
      if (older.version.commitLsn < this.#trustedFrom) continue;
      final.image = fill(final.image, older.image);
    }
  }

  async #withoutRow(client: pg.ClientBase, partial: readonly Final[]): Promise<Final[]> {
    if (partial.length === 0) return [];
    const rows = await preparedRows(client, this.#incomplete, [
      ...this.#keyArrays(partial.map(this.#keyOf)),
      ...versionArrays(partial),
      formatLsn(this.#trustedFrom),
    ]);
    const keys = new Set(rows.map((row) => keyText(this.table, row)));
    return partial.filter(
      (final) => final.isAnotherRow || final.mustRead || keys.has(this.#keyOf(final)),
    );
  }

  /** Without those that mean nothing where the mirror has no such row. */
  async #meant(client: pg.ClientBase, missing: readonly Final[]): Promise<readonly Final[]> {
    const unsure = missing.filter(({ ifKnown }) => ifKnown);
    if (unsure.length === 0) return missing;
    const stored = await this.stored(client, unsure.map(this.#keyOf));
    return missing.filter(
      (final) => !final.ifKnown || stored.get(this.#keyOf(final))?.image != null,
    );
  }

  /** Each row as the log has told it so far: what was not sent is the mirror's, if that is the row. */
  async #asTold(client: pg.ClientBase, finals: readonly Final[]): Promise<RowBehind[]> {
    const stored = await this.stored(client, finals.map(this.#keyOf));
    return finals.map((final): RowBehind => {
      const key = this.#keyOf(final);
      const known = stored.get(key);
      const { image, version } = final;
      if (known === undefined) return { key, image, version };
      if (compareVersions(known.version, version) >= 0) return { key, ...known };
      if (image === null || known.image === null || final.isAnotherRow) {
        return { key, image, version };
      }
      return { key, image: fill(image, known.image), version };
    });
  }

  /** Returns the version that these rows have then. */
  async #readAgain(
    client: pg.ClientBase,
    reader: SourceReader,
    missing: readonly Final[],
    whole: Final[],
    gone: Final[],
  ): Promise<Version> {
    const keys = missing.map((final) => keyParts(this.table, this.#keyOf(final)));
    const { lsn, rows, readUntil = lsn } = await reader.readByKey(this.table, keys);
    if (readUntil > this.#aheadUntil) {
      this.#aheadUntil = readUntil;
      await noteAhead(client, this.table, readUntil);
    }
    // Everything committed before `lsn` is in the rows; a commit at `lsn` itself is newer.
    const version: Version = { commitLsn: lsn, changeLsn: 0n as Lsn };
    const found = new Map(rows.map((row) => [keyText(this.table, row), row]));
    for (const final of missing) {
      const image = found.get(this.#keyOf(final)) ?? null;
      (image === null ? gone : whole).push({ ...final, version, image, carriedFrom: null });
    }
    return version;
  }

  #update(mask: string, present: readonly MirrorColumn[]): string {
    let sql = this.#updates.get(mask);
    if (sql === undefined) {
      sql = updateStatement(this.table, present, this.#output);
      this.#updates.set(mask, sql);
    }
    return sql;
  }

  async #write(
    client: pg.ClientBase,
    sql: string,
    columns: readonly MirrorColumn[],
    finals: readonly Final[],
  ): Promise<Changed[]> {
    const positions = columns.map((column) => this.table.columns.indexOf(column));
    const arrays = positions.map((i) =>
      columnLiteral(finals, (final) => (final.image ?? final.key)[i]),
    );
    const rows = await preparedRows(client, sql, [...arrays, ...versionArrays(finals)]);
    if (sql === this.#delete)
      return rows.map((row) => this.#changed(row, this.table.keyLength, null));
    if (columns.length < this.table.columns.length) {
      const n = this.table.columns.length;
      return rows.map((row) => this.#changed(row, n, row.slice(0, n)));
    }
    const images = new Map(finals.map((final) => [this.#keyOf(final), final.image]));
    return rows.map((row) =>
      this.#changed(row, this.table.keyLength, images.get(keyText(this.table, row)) ?? null),
    );
  }

  /** `rowLength`: how many values of the row the statement returns before the rest. */
  #changed(row: TextRow, rowLength: number, image: Image | null): Changed {
    const { oldColumns } = this.#output;
    const key = keyText(this.table, row);
    const concerned = this.#concerned(row, rowLength + 1 + oldColumns.length);
    if (row[rowLength] === 't') return { key, image, old: null, concerned };
    const old =
      oldColumns.length === 0
        ? NO_VALUES
        : new Map(oldColumns.map((column, i) => [column, row[rowLength + 1 + i] ?? null]));
    return { key, image, old, concerned };
  }

  /** The usages whose flags are set, from the first flag on: few combinations, each a list made once. */
  #concerned(row: TextRow, from: number): readonly Usage[] {
    const { flagged } = this.#output;
    let flags = '';
    for (let i = 0; i < flagged.length; i++) flags += row[from + i] === 't' ? '1' : '0';
    let usages = this.#usagesByFlags.get(flags);
    if (usages === undefined) {
      usages = flagged.filter((_, i) => flags[i] === '1');
      this.#usagesByFlags.set(flags, usages);
    }
    return usages;
  }

  #keyArrays(keys: readonly string[]): string[] {
    const parts = keys.map((key) => keyParts(this.table, key));
    return this.table.columns
      .slice(0, this.table.keyLength)
      .map((_, i) => arrayLiteral(parts.map((part) => part[i] ?? null)));
  }
}

/** Formats positions of which the same one often comes several times in a row. */
class LastLsn {
  #lsn: Lsn | null = null;
  #text = '';

  text(lsn: Lsn): string {
    if (lsn !== this.#lsn) {
      this.#lsn = lsn;
      this.#text = formatLsn(lsn);
    }
    return this.#text;
  }
}

/** From there on the mirror follows the stream again, also for the next session. */
async function noteAhead(client: pg.ClientBase, table: MirrorTable, until: Lsn): Promise<void> {
  await preparedRows(
    client,
    `update tandem.mirror set ahead_until = greatest(ahead_until, $2) where table_name = $1`,
    [table.name, formatLsn(until)],
  );
}

function versionArrays(finals: readonly { readonly version: Version }[]): string[] {
  const commits = new LastLsn();
  return [
    columnLiteral(finals, (final) => commits.text(final.version.commitLsn)),
    columnLiteral(finals, (final) => formatLsn(final.version.changeLsn)),
  ];
}
