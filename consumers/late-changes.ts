import type pg from 'pg';
import { preparedRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import type { ChangeEvent, RowWritten } from '../core/change-event.ts';
import { keyParts, keyText, type Image, type MirrorTable } from '../core/mirror-table.ts';
import { compareVersions, parseLsn, type Version } from '../core/version.ts';
import { mirrorName } from './mirror-schema.ts';

/** Changes out of a log that is read again, after others that came behind them. */
export type LateChanges = {
  readonly events: readonly ChangeEvent[];
  /** Whether a row may be read again from the source. */
  readonly reread: boolean;
  /** What else is to be so once they are applied, in the same transaction. */
  readonly beside: (client: pg.ClientBase) => Promise<void>;
};

/**
 * A row may be newer already, by a change that left values out because they were those of the change
 * that comes only now: then the mirror holds older ones for them, under a newer version. Such a row
 * is read again from the source by its key. In the transaction that applies, which keeps others out.
 */
export async function overNewer(
  client: pg.ClientBase,
  { events, reread }: LateChanges,
): Promise<readonly ChangeEvent[]> {
  if (!reread) return events;
  const newer = await newerVersions(client, events.filter(isWritten));
  return events.flatMap((event): ChangeEvent[] => {
    if (!isWritten(event) || !newer.has(event)) return [event];
    const { table, version, oldKey, row } = event;
    const stamp = { table, version, committedAt: null };
    const unsent = row.map((cell, i) => (i < table.keyLength ? cell : undefined));
    return [
      ...(oldKey === null ? [] : [{ ...stamp, kind: 'delete', key: oldKey } as const]),
      { ...stamp, kind: 'read', row: unsent, oldKey: null, mustRead: true },
    ];
  });
}

/** A row of the key alone has no value that could be an older one. */
const isWritten = (event: ChangeEvent): event is RowWritten =>
  event.kind !== 'delete' &&
  event.kind !== 'truncate' &&
  event.table.columns.length > event.table.keyLength;

async function newerVersions(
  client: pg.ClientBase,
  events: readonly RowWritten[],
): Promise<ReadonlySet<ChangeEvent>> {
  const newer = new Set<ChangeEvent>();
  for (const table of new Set(events.map((event) => event.table))) {
    const mine = events.filter((event) => event.table === table);
    const found = await versionsOf(client, table, mine);
    for (const event of mine) {
      const known = found.get(keyText(table, event.row));
      if (known !== undefined && compareVersions(known, event.version) > 0) newer.add(event);
    }
  }
  return newer;
}

/** Of rows that are not deleted. */
async function versionsOf(
  client: pg.ClientBase,
  table: MirrorTable,
  events: readonly { readonly row: Image }[],
): Promise<ReadonlyMap<string, Version>> {
  const key = table.columns.slice(0, table.keyLength);
  const names = key.map(({ name }) => ident(name));
  const parts = events.map(({ row }) => keyParts(table, keyText(table, row)));
  const rows = await preparedRows(
    client,
    `select ${names.map((name) => `mirror.${name}`).join(', ')}, _commit_lsn, _change_lsn
     from ${mirrorName(table)} as mirror
     join (select distinct * from unnest(${key.map(({ type }, i) => `$${i + 1}::text[]::${type}[]`).join(', ')}))
       as given (${names.join(', ')}) using (${names.join(', ')}) where not _deleted`,
    key.map((_, i) => arrayLiteral(parts.map((part) => part[i] ?? null))),
  );
  return new Map(
    rows.map((row) => [
      keyText(table, row),
      {
        commitLsn: parseLsn(row[key.length] ?? ''),
        changeLsn: parseLsn(row[key.length + 1] ?? ''),
      },
    ]),
  );
}
