import type pg from 'pg';
import { execute, preparedRows, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import type { ChangeEvent } from '../core/change-event.ts';
import { keyParts, type MirrorTable } from '../core/mirror-table.ts';
import type { SourceReader } from '../core/ports.ts';
import { compareVersions, type Lsn } from '../core/version.ts';
import { collapse, type TableChanges } from './collapse.ts';
import { TableMerge } from './merge.ts';
import { mirrorName } from './mirror-schema.ts';

const NEWER = 'pg_temp.tandem_newer';
const OVERLAID = 'pg_temp.tandem_overlaid';
const VERSION = '_commit_lsn, _change_lsn, _deleted';

/** Behind every position: no row is taken for one that is as the stream has it. */
const END = 0xffff_ffff_ffff_ffffn as Lsn;

export type OverlayOptions = {
  readonly table: MirrorTable;
  readonly isJournaled: boolean;
  /** Rows with an older version do not complete an update that leaves values out. */
  readonly trustedFrom: Lsn | undefined;
  /** Reads again what neither the changes nor the mirror have. */
  readonly reader: SourceReader;
};

/**
 * A mirror table as it would be once changes are merged into it, for one session: what they make
 * newer stands in a temporary table, and a view puts it over the mirror, which is only read. The
 * merge is that of the stream, on copies of the rows concerned. The view compares versions itself,
 * so it is right at any later moment, when the stream has brought what is newer still.
 */
export class MirrorOverlay {
  readonly #client: pg.ClientBase;
  readonly #options: OverlayOptions;
  /** The rows that are newer, and of those at hand also the others. */
  readonly #copies: MirrorTable;
  readonly #merge: TableMerge;
  /** Updates that a journal of the table has not seen. */
  unseen = 0;

  private constructor(client: pg.ClientBase, options: OverlayOptions, serverVersion: number) {
    const { table, trustedFrom } = options;
    this.#client = client;
    this.#options = options;
    this.#copies = { ...table, standIn: NEWER };
    this.#merge = new TableMerge(this.#copies, [], serverVersion, trustedFrom, END);
  }

  /** The session must not be in a transaction, and keeps the overlay until it ends. */
  static async open(client: pg.ClientBase, options: OverlayOptions): Promise<MirrorOverlay> {
    const { table } = options;
    const columns = columnsOf(table);
    const list = (alias: string) => columns.map((name) => `${alias}.${name}`).join(', ');
    const isNewer = '(n._commit_lsn, n._change_lsn) > (m._commit_lsn, m._change_lsn)';
    await execute(
      client,
      `create temporary table tandem_newer (like ${mirrorName(table)} including indexes including defaults)`,
    );
    await execute(
      client,
      `create temporary view tandem_overlaid as
       select ${list('m')} from ${mirrorName(table)} as m
       where not exists (select from ${NEWER} as n where ${sameKey(table)} and ${isNewer})
       union all select ${list('n')} from ${NEWER} as n
       where not exists (select from ${mirrorName(table)} as m
         where ${sameKey(table)} and not ${isNewer})`,
    );
    const [version] = await textRows(client, `select current_setting('server_version_num')`);
    return new MirrorOverlay(client, options, Number(version?.[0]));
  }

  /** What is read in the place of the mirror's table. */
  get table(): MirrorTable {
    return { ...this.#options.table, standIn: OVERLAID };
  }

  /** Changes of the table; of others none. */
  async add(events: readonly ChangeEvent[]): Promise<void> {
    const { table, isJournaled, reader } = this.#options;
    const mine = events.map((event): ChangeEvent => ({ ...event, table: this.#copies }));
    const changes = collapse(mine, () => isJournaled, 'log').get(table.name);
    if (changes === undefined) return;
    const keys = [...changes.finals].flatMap(([key, { carriedFrom }]) =>
      carriedFrom === null ? [key] : [key, carriedFrom.key],
    );
    await this.#copy(keys);
    await this.#countUnseen(changes);
    await this.#merge.run(this.#client, changes, reader);
    await this.#dropOthers(keys);
  }

  /** How many rows stand newer here than in the mirror. */
  async count(): Promise<number> {
    await execute(this.#client, `analyze ${NEWER}`);
    const [row] = await textRows(this.#client, `select count(*) from ${NEWER}`);
    return Number(row?.[0]);
  }

  async #copy(keys: readonly string[]): Promise<void> {
    const columns = columnsOf(this.#options.table).join(', ');
    await preparedRows(
      this.#client,
      `insert into ${NEWER} (${columns}) select ${columns}
       from ${mirrorName(this.#options.table)} as m where ${this.#isOneOf('m')}
       on conflict do nothing`,
      this.#keyArrays(keys),
    );
  }

  async #countUnseen({ steps }: TableChanges): Promise<void> {
    const updates = steps.filter(({ kind }) => kind === 'update');
    if (updates.length === 0) return;
    const keys = new Set(updates.map(({ key }) => key));
    const stored = await this.#merge.stored(this.#client, [...keys]);
    this.unseen += updates.filter(({ key, version }) => {
      const known = stored.get(key);
      return known !== undefined && compareVersions(version, known.version) > 0;
    }).length;
  }

  /** So the temporary table stays as small as what is newer. */
  async #dropOthers(keys: readonly string[]): Promise<void> {
    const { table } = this.#options;
    await preparedRows(
      this.#client,
      `delete from ${NEWER} as n using ${mirrorName(table)} as m
       where ${sameKey(table)} and ${this.#isOneOf('n')}
         and (m._commit_lsn, m._change_lsn) >= (n._commit_lsn, n._change_lsn)`,
      this.#keyArrays(keys),
    );
  }

  #isOneOf(alias: string): string {
    const { columns, keyLength } = this.#options.table;
    const key = columns.slice(0, keyLength);
    const names = key.map(({ name }) => `${alias}.${ident(name)}`).join(', ');
    const arrays = key.map(({ type }, i) => `$${i + 1}::text[]::${type}[]`).join(', ');
    return `(${names}) in (select * from unnest(${arrays}))`;
  }

  #keyArrays(keys: readonly string[]): string[] {
    const { table } = this.#options;
    const parts = keys.map((text) => keyParts(table, text));
    return Array.from({ length: table.keyLength }, (_, i) =>
      arrayLiteral(parts.map((part) => part[i] ?? null)),
    );
  }
}

const columnsOf = (table: MirrorTable) => [
  ...table.columns.map(({ name }) => ident(name)),
  ...VERSION.split(', '),
];

const sameKey = (table: MirrorTable) =>
  table.columns
    .slice(0, table.keyLength)
    .map(({ name }) => `m.${ident(name)} = n.${ident(name)}`)
    .join(' and ');
