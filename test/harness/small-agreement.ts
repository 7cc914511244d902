import { expect } from 'vitest';
import { openClient, textRows, type TextRow } from '../../connectors/postgres/connection.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import { readTargetTables } from '../../consumers/target-tables.ts';
import { readUsages } from '../../core/usage.ts';
import { databaseOf, type LegacyRow } from './apply-bench.ts';
import type { TestDatabase } from './database.ts';
import { expectedFrom, foundIn, type LegacyState } from './small-expected.ts';
import { SMALL_MAPPING } from './small-mapping.ts';

const TABLES = [...readUsages(SMALL_MAPPING).tables.values()].map(({ name, key, columns }) => ({
  name,
  key,
  columns: [...new Set([...key, ...columns])],
}));

/**
 * Compares by value, in the text that both servers print under the same settings: the mirror with the
 * source, and the target with what an independent model makes of the source's rows. Nothing may be
 * under way.
 */
export async function expectSmallAgreement(
  source: TestDatabase,
  target: TestDatabase,
): Promise<void> {
  const legacy = await rowsOf(source, 'source', (name) => `public.${ident(name)}`);
  const mirror = await rowsOf(
    target,
    'target',
    (name) => `legacy.${ident(name)} where not _deleted`,
  );
  for (const { name } of TABLES) {
    expect(mirror.get(name), `mirror of ${name}`).toEqual(legacy.get(name));
  }
  await expectSamples(target);

  const state: LegacyState = new Map(
    TABLES.map((table) => [table.name, byKey(table, legacy.get(table.name) ?? [])]),
  );
  const { tombstones, ...found } = await foundIn({
    query: (sql) => target.query(sql),
    model: { targets: await targetsOf(target) },
  });
  const wanted = expectedFrom(state, tombstones);
  for (const [table, rows] of wanted.rows) {
    expect(Object.fromEntries(found.rows.get(table) ?? []), table).toEqual(
      Object.fromEntries(rows),
    );
  }
  expect({ ...found, rows: [...found.rows.keys()].sort() }).toEqual({
    ...wanted,
    rows: [...wanted.rows.keys()].sort(),
  });
}

/** The table with the awkward values goes through unchanged. */
async function expectSamples(target: TestDatabase): Promise<void> {
  const client = await openClient(databaseOf('target', target.connectionString), 'test');
  try {
    const columns = TABLES.find(({ name }) => name === 'sample')?.columns ?? [];
    const list = (id: string) =>
      columns.map((name) => (name === 'id' ? id : ident(name))).join(', ');
    const made = await textRows(
      client,
      `select ${list('legacy_id')} from public.samples where deleted_at is null order by 1`,
    );
    const read = await textRows(
      client,
      `select ${list('id')} from legacy.sample where not _deleted order by 1`,
    );
    expect(made).toEqual(read);
  } finally {
    await client.end();
  }
}

async function rowsOf(
  database: TestDatabase,
  side: 'source' | 'target',
  from: (table: string) => string,
): Promise<Map<string, readonly TextRow[]>> {
  const client = await openClient(databaseOf(side, database.connectionString), 'test');
  try {
    const found = new Map<string, readonly TextRow[]>();
    for (const { name, columns } of TABLES) {
      const rows = await textRows(
        client,
        `select ${columns.map(ident).join(', ')} from ${from(name)}`,
      );
      found.set(
        name,
        rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      );
    }
    return found;
  } finally {
    await client.end();
  }
}

function byKey(
  { key, columns }: (typeof TABLES)[number],
  rows: readonly TextRow[],
): Map<string, LegacyRow> {
  return new Map(
    rows.map((row): [string, LegacyRow] => {
      const values = Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null]));
      const parts = key.map((name) => values[name] ?? '');
      return [parts.length === 1 ? (parts[0] ?? '') : JSON.stringify(parts), values];
    }),
  );
}

async function targetsOf(target: TestDatabase) {
  const client = await openClient(databaseOf('target', target.connectionString), 'test');
  try {
    return await readTargetTables(client, SMALL_MAPPING);
  } finally {
    await client.end();
  }
}
