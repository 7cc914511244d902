import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { parseLsn, type Lsn } from '../../core/version.ts';
import type { StreamWatch } from './stream-watch.ts';

/** What the target remembers of a table's copy. */
type Recorded = {
  readonly columns: string;
  readonly isLoaded: boolean;
  readonly readUntil: Lsn | null;
};

/** Why tables cannot be compared, asked in one statement for all of them. */
export class Readiness {
  readonly #watch: StreamWatch;
  readonly #recorded: ReadonlyMap<string, Recorded>;

  private constructor(watch: StreamWatch, recorded: ReadonlyMap<string, Recorded>) {
    this.#watch = watch;
    this.#recorded = recorded;
  }

  static async read(
    target: pg.ClientBase,
    watch: StreamWatch,
    tables: readonly MirrorTable[],
  ): Promise<Readiness> {
    const rows = await textRows(
      target,
      `select table_name, columns, loaded_at is not null, read_until from tandem.mirror
       where table_name = any($1::text[])`,
      [arrayLiteral(tables.map(({ name }) => name))],
    );
    const recorded = rows.map(
      ([name, columns, isLoaded, readUntil]) =>
        [
          name ?? '',
          {
            columns: columns ?? '[]',
            isLoaded: isLoaded === 't',
            readUntil: readUntil == null ? null : parseLsn(readUntil),
          },
        ] as const,
    );
    return new Readiness(watch, new Map(recorded));
  }

  /**
   * Why a table cannot be compared now, or null. A copy may hold newer rows than their versions say
   * until the stream has passed the place at which its last chunk was read.
   */
  async whyNot(table: MirrorTable): Promise<string | null> {
    const recorded = this.#recorded.get(table.name);
    if (recorded === undefined) return 'it is not set up; next: tandem setup';
    if (!isSame(recorded.columns, table)) {
      return 'the mirror was made for other columns or types than the mapping reads and the source has now; next: tandem setup';
    }
    if (!recorded.isLoaded) return 'its copy is not complete; next: tandem backfill';
    const { readUntil } = recorded;
    if (readUntil !== null && !(await this.#watch.waitFor(readUntil))) {
      return `the stream has not passed its copy: ${this.#watch.stalled ?? 'it is on its way'}`;
    }
    return null;
  }
}

function isSame(recorded: string, { columns }: MirrorTable): boolean {
  // It may keep up more: columns that the mapping does not read any more.
  const kept = new Map(JSON.parse(recorded) as [string, string][]);
  return columns.every(({ name, sourceType }) => kept.get(name) === sourceType);
}
