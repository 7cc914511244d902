import type pg from 'pg';
import { execute, preparedRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral, columnLiteral } from '../connectors/postgres/sql.ts';
import type { Cell, Image, MirrorTable } from '../core/mirror-table.ts';
import { BEFORE_ALL, compareVersions, formatLsn, parseLsn, type Version } from '../core/version.ts';
import type { Step, Update } from './collapse.ts';

/** What the mirror holds of a key; image null: it is deleted. */
type Known = { readonly image: Image | null; readonly version: Version };

/** A row as its own partition has it at `version` (null: not there), where the mirror is at `until`. */
type Behind = { readonly image: Image | null; readonly version: Version; readonly until: Version };

export type RowBehind = Omit<Behind, 'until'> & { readonly key: string };

/**
 * Rows of a journaled table that the mirror is ahead of, while the partition of their key is not that
 * far: a key change is told by the partition of the new key too, which may be ahead, and a row that
 * was read again from the source is as the source has it. Updates that come after that are too old
 * for the mirror, but nobody has seen them: the journal needs the row as it was. It goes when its own
 * partition tells of its end, or when the whole log has come by (`LogProgress`).
 */
export class RowsBehind {
  readonly #table: string;
  readonly #rows: Map<string, Behind>;
  readonly #changed = new Set<string>();

  private constructor(table: string, rows: Map<string, Behind>) {
    this.#table = table;
    this.#rows = rows;
  }

  static async read(
    client: pg.ClientBase,
    table: string,
    keys: readonly string[],
  ): Promise<RowsBehind> {
    if (keys.length === 0) return new RowsBehind(table, new Map());
    const rows = await preparedRows(
      client,
      `select key, cells, commit_lsn, change_lsn, until_commit, until_change
       from tandem.row_behind where table_name = $1 and key = any($2::text[])`,
      [table, arrayLiteral(keys)],
    );
    const version = (commit: string | null | undefined, change: string | null | undefined) => ({
      commitLsn: parseLsn(commit ?? ''),
      changeLsn: parseLsn(change ?? ''),
    });
    return new RowsBehind(
      table,
      new Map(
        rows.map(([key, cells, ...places]): [string, Behind] => [
          key ?? '',
          {
            image: imageOf(cells ?? 'null'),
            version: version(places[0], places[1]),
            until: version(places[2], places[3]),
          },
        ]),
      ),
    );
  }

  /**
   * Notes what is told of a key, before the mirror takes it. What comes again is told apart by its
   * version: the partition has passed it.
   */
  pass(step: Exclude<Step, Update>, known: Known | undefined): void {
    const { key, version } = step;
    const row = this.#rows.get(key);
    if (step.kind === 'leave') {
      if (known !== undefined && compareVersions(version, known.version) <= 0) return;
      const isBehind =
        row !== undefined &&
        (known === undefined || compareVersions(known.version, row.until) <= 0);
      const place = isBehind
        ? row
        : { image: known?.image ?? null, version: known?.version ?? BEFORE_ALL };
      this.#set(key, { ...place, until: version });
    } else if (row !== undefined && compareVersions(version, row.version) > 0) {
      const isEnd = step.kind === 'delete' && compareVersions(version, row.until) >= 0;
      const image = step.kind === 'create' ? step.image : null;
      this.#set(key, isEnd ? null : { ...row, image, version });
    }
  }

  /** The row before this update, which the mirror is ahead of; null: it was seen before. */
  before({ key, version }: Update): Image | null {
    const row = this.#rows.get(key);
    if (row === undefined) return null;
    const isNext = compareVersions(version, row.version) > 0;
    return isNext && compareVersions(version, row.until) < 0 ? row.image : null;
  }

  /** That update is seen now. */
  moveOn({ key, version }: Update, image: Image): void {
    const row = this.#rows.get(key);
    if (row !== undefined) this.#set(key, { ...row, image, version });
  }

  async write(client: pg.ClientBase): Promise<void> {
    for (const key of this.#changed) {
      const row = this.#rows.get(key);
      if (row === undefined) {
        const sql = 'delete from tandem.row_behind where table_name = $1 and key = $2';
        await execute(client, sql, [this.#table, key]);
        continue;
      }
      const places = [row.version, row.until].flatMap(({ commitLsn, changeLsn }) => [
        formatLsn(commitLsn),
        formatLsn(changeLsn),
      ]);
      await execute(
        client,
        `insert into tandem.row_behind values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (table_name, key) do update set cells = excluded.cells,
           commit_lsn = excluded.commit_lsn, change_lsn = excluded.change_lsn,
           until_commit = excluded.until_commit, until_change = excluded.until_change`,
        [this.#table, key, cellsOf(row.image), ...places],
      );
    }
  }

  #set(key: string, row: Behind | null): void {
    if (row === null) this.#rows.delete(key);
    else this.#rows.set(key, row);
    this.#changed.add(key);
  }
}

/**
 * Keeps rows as the log has them, where the mirror gets them as the source has them at `until`. One
 * that the mirror was ahead of already stays as it is, and is behind for longer.
 */
export async function keepBehind(
  client: pg.ClientBase,
  table: MirrorTable,
  rows: readonly RowBehind[],
  until: Version,
): Promise<void> {
  await preparedRows(
    client,
    `insert into tandem.row_behind as behind
     select $1, key, cells, commit_lsn, change_lsn, $6, $7
     from unnest($2::text[], $3::jsonb[], $4::pg_lsn[], $5::pg_lsn[])
       as given (key, cells, commit_lsn, change_lsn)
     on conflict (table_name, key) do update
       set until_commit = excluded.until_commit, until_change = excluded.until_change
       where (excluded.until_commit, excluded.until_change) > (behind.until_commit, behind.until_change)`,
    [
      table.name,
      columnLiteral(rows, ({ key }) => key),
      columnLiteral(rows, ({ image }) => cellsOf(image)),
      columnLiteral(rows, ({ version }) => formatLsn(version.commitLsn)),
      columnLiteral(rows, ({ version }) => formatLsn(version.changeLsn)),
      formatLsn(until.commitLsn),
      formatLsn(until.changeLsn),
    ],
  );
}

/** A value that was not sent is 0: every other one is a text or null. */
const cellsOf = (image: Image | null) =>
  JSON.stringify(image?.map((cell) => (cell === undefined ? 0 : cell)) ?? null);

const imageOf = (cells: string): Image | null =>
  (JSON.parse(cells) as (string | null | 0)[] | null)?.map((cell): Cell =>
    cell === 0 ? undefined : cell,
  ) ?? null;
