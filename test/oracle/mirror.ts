import { differ, diffRows, type RowDifferences } from './diff.ts';
import { rowDifferenceLines } from './report.ts';
import { byId } from './rows-by-id.ts';
import { ident, Session, type TextRow } from './session.ts';

/** Columns that never leave the source (T92), as `table.column`. */
const SECRETS: ReadonlySet<string> = new Set([
  'auth_user.password',
  'dispatch_globalsetting.access_token',
  'dispatch_globalsetting.sandbox',
  'dispatch_globalsetting.application_id',
  'dispatch_globalsetting.location_id',
  'dispatch_operation.card_bin',
  'dispatch_operation.card_last',
  'otp_email_emaildevice.key',
  'account_emailconfirmation.key',
  'django_session.session_key',
  'django_session.session_data',
]);

/** Bookkeeping of the mirror itself. */
const OWN_COLUMNS: ReadonlySet<string> = new Set(['_commit_lsn', '_change_lsn', '_deleted']);

type MirrorTableReport = RowDifferences & {
  readonly table: string;
  readonly sourceRows: number;
  readonly liveRows: number;
};

type MirrorReport = {
  readonly tables: readonly MirrorTableReport[];
  /** Secret columns that the mirror has, as `table.column`. */
  readonly secrets: readonly string[];
  readonly agrees: boolean;
};

type MirrorOptions = {
  readonly sourceUrl: string;
  readonly targetUrl: string;
  readonly maxExamples?: number;
};

/** Compares every live row of every mirrored table with the source, column by column, as text. */
export async function compareMirror(options: MirrorOptions): Promise<MirrorReport> {
  await using source = await Session.open(options.sourceUrl);
  await using target = await Session.open(options.targetUrl);
  await Promise.all([source.freeze(), target.freeze()]);

  const mirrored = await mirroredColumns(target);
  const tables: MirrorTableReport[] = [];
  for (const [table, all] of mirrored) {
    const columns = all.filter((name) => !OWN_COLUMNS.has(name));
    const names = columns.map(ident).join(', ');
    const key = await keyColumn(source, table);
    const live = `select ${names}, not _deleted as is_live from legacy.${ident(table)}`;
    const wanted = byId(await source.rows(`select ${names} from public.${ident(table)}`), key);
    const found = byId(await target.rows(live), key);
    tables.push({
      table,
      sourceRows: wanted.size,
      liveRows: [...found.values()].filter(isLive).length,
      ...diffRows({
        ...{ expected: wanted, found, isLive, columns },
        maxExamples: options.maxExamples ?? 5,
      }),
    });
  }
  const secrets = [...mirrored].flatMap(([table, columns]) =>
    columns.map((column) => `${table}.${column}`).filter((name) => SECRETS.has(name)),
  );
  return { tables, secrets, agrees: secrets.length === 0 && !tables.some(differ) };
}

function isLive(row: TextRow): boolean {
  return row['is_live'] === 't';
}

/** Throws an error that lists the first differences between mirror and source. */
export async function assertMirrorAgrees(options: MirrorOptions): Promise<void> {
  const report = await compareMirror(options);
  if (!report.agrees) throw new Error(mirrorDifferenceLines(report).join('\n'));
}

export function mirrorDifferenceLines({ tables, secrets }: MirrorReport): string[] {
  return [
    ...secrets.map((name) => `the mirror has the secret column ${name}`),
    ...tables.flatMap((it) => rowDifferenceLines(it).map((line) => `legacy.${it.table}: ${line}`)),
  ];
}

async function mirroredColumns(target: Session): Promise<Map<string, string[]>> {
  const rows = await target.arrays(
    `select c.relname, a.attname from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = to_regnamespace('legacy') and c.relkind in ('r', 'p')
     order by c.relname, a.attnum`,
  );
  const columns = new Map<string, string[]>();
  for (const [table, column] of rows) {
    columns.set(table ?? '', [...(columns.get(table ?? '') ?? []), column ?? '']);
  }
  return columns;
}

async function keyColumn(source: Session, table: string): Promise<string> {
  const rows = await source.arrays(
    `select a.attname from pg_index i
     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
     where i.indisprimary and i.indrelid = to_regclass('public.' || quote_ident($1))`,
    [table],
  );
  const [key] = rows.flat();
  if (rows.length !== 1 || typeof key !== 'string') throw new Error(`${table} needs a single key`);
  return key;
}
