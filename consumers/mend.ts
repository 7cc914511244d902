import type pg from 'pg';
import { execute } from '../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import type { ChangeEvent } from '../core/change-event.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import { formatLsn, type Lsn } from '../core/version.ts';
import { mirrorName } from './mirror-schema.ts';

/** Rows of one table as the source showed them at a barrier, to be put over wrong ones. */
export type Mending = {
  readonly table: MirrorTable;
  /** `read` and `delete`, with the barrier's version. */
  readonly events: readonly ChangeEvent[];
  readonly barrier: Lsn;
  /** Keys whose version may lie in the future of the source. */
  readonly ahead: readonly (readonly string[])[];
  /** Where the source's log ends, read when it is asked for. */
  readonly sourceEnd: () => Promise<Lsn>;
};

/**
 * Sets back versions that the source has not reached, so that the newest row can win again. A true
 * version is a place that the source's log had reached when the row was written. Whoever calls
 * keeps all writers of the mirror out, and has read `end` after that: so what lies behind it was
 * given by no change of this source, and keeps every true one out.
 */
export async function setBack(
  client: pg.ClientBase,
  table: MirrorTable,
  keys: readonly (readonly string[])[],
  end: Lsn,
): Promise<void> {
  const columns = table.columns.slice(0, table.keyLength);
  const arrays = columns.map(({ type }, i) => `$${i + 2}::text[]::${type}[]`).join(', ');
  const names = columns.map(({ name }) => ident(name));
  const same = names.map((name) => `mirror.${name} = given.${name}`).join(' and ');
  await execute(
    client,
    `update ${mirrorName(table)} as mirror set _commit_lsn = '0/0', _change_lsn = '0/0'
     from unnest(${arrays}) as given (${names.join(', ')})
     where ${same} and mirror._commit_lsn > $1::pg_lsn`,
    [formatLsn(end), ...columns.map((_, i) => arrayLiteral(keys.map((key) => key[i] ?? null)))],
  );
}
