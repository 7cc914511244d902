import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import { uuidOf } from '../../core/uuid.ts';
import { databaseOf } from '../harness/apply-bench.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import { expectCaughtUp } from '../harness/source-world.ts';
import { TandemProcess } from '../harness/tandem-process.ts';

/** Names that PostgreSQL takes; none is longer than its 63 bytes. */
const NAMES = [
  `it's "quoted"`,
  'select',
  'MixedCase',
  'back\\slash $1 %s ${y}',
  ' spaces, commas; -- and /* more */ ',
  'Größe 名前 🦷',
  'x'.repeat(63),
  `${'é'.repeat(31)}z`,
  'line\nbreak\ttab',
];
/** Keys that some text form on the way could spoil or mistake for another. */
const KEYS = [
  ...[
    '',
    ' ',
    'a',
    'A',
    'a ',
    '1',
    '1.0',
    '01',
    'NULL',
    'null',
    '\\N',
    '\\.',
    '\\',
    "it's",
    '"',
    '""',
  ],
  ...[
    '{a,b}',
    '["a"]',
    '(1,2)',
    'a\nb',
    'a\r\nb',
    'é',
    'e\u0301',
    '🦷',
    '\u0001',
    'x'.repeat(500),
    '%',
    '$1',
  ],
];

/** The row that all others name; it comes with the second half. */
const PARENT = '%';

/** Of a table: its key, a value, and the key of another row. */
const columnsOf = (i: number) =>
  [0, 1, 2].map((n) => NAMES[(i + n + 1) % NAMES.length] ?? '') as [string, string, string];

const core = join(import.meta.dirname, '..', '..', 'core');
const MAPPING = `
  import { text } from '${core}/legacy-table.ts';
  import { legacyTable } from '${core}/shape.ts';
  import { entity } from '${core}/entity.ts';
  import { ref, row } from '${core}/outcome.ts';
  const entities = ${JSON.stringify(NAMES.map((name, i) => ({ name, columns: columnsOf(i) })))}.map(
    ({ name, columns: [key, value, up] }) => {
      const table = legacyTable(name, key, { [key]: text, [value]: text.orNull, [up]: text.orNull });
      return entity({
        name: 'e ' + name,
        target: name,
        from: table.select(key, value, up).with((on) => ({ above: on.one(up, table.select(value)) })),
        map: (root) => row({
          id: ref('e ' + name, root[key]),
          [value]: root[value],
          [up]: ref('e ' + name, root[up]),
          above: root.above?.[value] ?? null,
        }),
      });
    });
  export default { name: 'names', migrations: null, entities };`;

async function createTables(source: TestDatabase, target: TestDatabase): Promise<void> {
  for (const [i, name] of NAMES.entries()) {
    const [key, value, up] = columnsOf(i).map(ident);
    const table = ident(name);
    await source.query(
      `create table ${table} (${key} text primary key, ${value} text, ${up} text)`,
    );
    await target.query(`create table ${table} (id uuid primary key, ${value} text,
      ${up} uuid references ${table} deferrable initially deferred, above text, deleted_at timestamptz)`);
  }
}

async function expectAgreement(source: TestDatabase, target: TestDatabase): Promise<void> {
  const legacy = await openClient(databaseOf('source', source.connectionString), 'test');
  const made = await openClient(databaseOf('target', target.connectionString), 'test');
  try {
    for (const [i, name] of NAMES.entries()) {
      const [key, value, up] = columnsOf(i).map(ident);
      const rows = await textRows(
        legacy,
        `select ${key}, ${value}, ${up} from public.${ident(name)}`,
      );
      const mirror = await textRows(
        made,
        `select ${key}, ${value}, ${up} from legacy.${ident(name)} where not _deleted`,
      );
      const sorted = (list: readonly unknown[]) => list.map((it) => JSON.stringify(it)).sort();
      expect(sorted(mirror), name).toEqual(sorted(rows));
      const valueOf = new Map(rows.map(([key, value]) => [key, value ?? null]));
      const idOf = (key: string | null | undefined) =>
        key == null ? null : uuidOf(`e ${name}`, key);
      const wanted = rows.map(([key, value, up]) => [
        idOf(key),
        value,
        valueOf.has(up ?? null) ? idOf(up) : null,
        valueOf.get(up ?? null) ?? null,
      ]);
      const found = await textRows(
        made,
        `select id, ${value}, ${up}, above from public.${ident(name)} where deleted_at is null`,
      );
      expect(sorted(found), name).toEqual(sorted(wanted));
    }
  } finally {
    await Promise.all([legacy.end(), made.end()]);
  }
}

test('names and keys of every kind go the whole way, by the copy and by the stream', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-names-'));
  try {
    writeFileSync(join(folder, 'mapping.ts'), MAPPING);
    await using source = await freshDatabase({ on: 'source' });
    await using target = await freshDatabase();
    await createTables(source, target);
    const settings = {
      SOURCE_URL: source.connectionString,
      TARGET_URL: target.connectionString,
      TANDEM_SLOT: `slot_${source.name}`,
      TANDEM_PUBLICATION: 'Größe-$1',
      STREAM: 'Ströme\\1',
      MAPPING: join(folder, 'mapping.ts'),
      HEARTBEAT_SECONDS: '1',
      CHUNK_ROWS: '100',
    };
    const half = KEYS.length / 2;
    const put = async (keys: readonly string[]) => {
      for (const name of NAMES) {
        await source.query(
          `insert into ${ident(name)} select k, 'value of ' || k, $2 from unnest($1::text[]) as k`,
          [keys, PARENT],
        );
      }
    };
    await put(KEYS.slice(0, half));
    await using child = new TandemProcess(['run'], settings);
    await expectCaughtUp(settings, child);
    await put(KEYS.slice(half));
    for (const [i, name] of NAMES.entries()) {
      const [key, value, up] = columnsOf(i).map(ident);
      await source.query(`update ${ident(name)} set ${up} = '\\N' where ${key} in ('', '1', 'é')`);
      await source.query(`update ${ident(name)} set ${value} = null where ${key} = 'null'`);
      await source.query(
        `update ${ident(name)} set ${key} = ${key} || '''"' where ${key} in ('"', 'a ')`,
      );
      await source.query(`delete from ${ident(name)} where ${key} in ('a', '\\.', '$1')`);
    }
    await expectCaughtUp(settings, child);
    expect(await target.query('select entity, message from tandem.quarantine')).toEqual([]);
    await expectAgreement(source, target);
    expect(await child.stop()).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 180_000);
