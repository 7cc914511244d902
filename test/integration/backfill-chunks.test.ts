import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chunkBounds, openChunks, recordChunks } from '../../backfill/chunks.ts';
import { rangeCondition } from '../../connectors/postgres/key-range.ts';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { controlSchemaSql } from '../../consumers/control-schema.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { databaseOf } from '../harness/apply-bench.ts';
import { freshDatabase } from '../harness/database.ts';

function tableOf(name: string, key: Readonly<Record<string, string>>): MirrorTable {
  const columns = Object.entries(key).map(([column, type]) => ({
    name: column,
    type,
    sourceType: type,
    inKey: true,
  }));
  return { name, schema: 'public', relation: name, columns, keyLength: columns.length };
}

/** Texts that sort in another way under every collation, and that SQL has to quote. */
const awkward = fc.oneof(
  fc.constantFrom('', 'a', 'A', 'b', 'B', 'ä', 'Z', 'zz', "it's", 'back\\slash', 'a b', '🦷', '\t'),
  fc.string({ minLength: 1, maxLength: 3 }).filter((text) => !text.includes('\0')),
);
const KEYS: readonly {
  readonly table: MirrorTable;
  readonly key: fc.Arbitrary<readonly unknown[]>;
}[] = [
  {
    table: tableOf('numbers', { id: 'bigint' }),
    key: fc.tuple(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  },
  { table: tableOf('dense', { id: 'integer' }), key: fc.tuple(fc.integer({ min: 1, max: 40 })) },
  {
    table: tableOf('pairs', { a: 'integer', b: 'integer' }),
    key: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: -2, max: 9 })),
  },
  { table: tableOf('words', { word: 'text' }), key: fc.tuple(awkward) },
  {
    table: tableOf('mixed', { word: 'text', id: 'integer' }),
    key: fc.tuple(awkward, fc.integer({ min: 1, max: 3 })),
  },
  { table: tableOf('codes', { code: 'uuid' }), key: fc.tuple(fc.uuid()) },
];

test('chunks cover every key exactly once, whatever the keys', async () => {
  await using db = await freshDatabase();
  const client = await openClient(databaseOf('target', db.connectionString), 'test');
  try {
    for (const sql of controlSchemaSql()) await client.query(sql);
    for (const { table } of KEYS) {
      const columns = table.columns.map(
        // Another order than the server's own.
        ({ name, type }) => `${name} ${type}${type === 'text' ? ' collate "en-x-icu"' : ''}`,
      );
      const key = table.columns.map(({ name }) => name).join(', ');
      await client.query(
        `create table public.${table.name} (${columns.join(', ')}, primary key (${key}))`,
      );
    }
    const run = fc.record({
      kind: fc.nat({ max: KEYS.length - 1 }),
      rows: fc.integer({ min: 1, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(
        run.chain(({ kind, rows }) => {
          const chosen = KEYS[kind];
          if (chosen === undefined) throw new Error('no such kind');
          const keys = fc.array(chosen.key, { maxLength: 40 });
          return fc.tuple(fc.constant(chosen.table), fc.constant(rows), keys);
        }),
        async ([table, rows, keys]) => {
          await client.query(`truncate public.${table.name}, tandem.chunk`);
          for (const key of keys) {
            await client.query(
              `insert into public.${table.name} values (${key.map((_, i) => `$${i + 1}`).join(', ')}) on conflict do nothing`,
              key.map(String),
            );
          }
          const cut = { from: `public.${table.name}`, table };
          await recordChunks(client, 'load', table.name, await chunkBounds(client, cut, rows));
          // Once more, as a resumed backfill would.
          await recordChunks(client, 'load', table.name, await chunkBounds(client, cut, rows));
          const { open } = await openChunks(client, 'load', table.name);
          const list = table.columns.map(({ name }) => `"${name}"`).join(', ');
          const found: string[] = [];
          for (const chunk of open) {
            const condition = rangeCondition(table, chunk, (column) => column.sourceType);
            const part = await textRows(
              client,
              `select ${list} from public.${table.name} where ${condition}`,
            );
            expect(part.length).toBeLessThanOrEqual(rows);
            found.push(...part.map((row) => JSON.stringify(row)));
          }
          const all = await textRows(client, `select ${list} from public.${table.name}`);
          expect(found.sort()).toEqual(all.map((row) => JSON.stringify(row)).sort());
        },
      ),
      { numRuns: 60 },
    );
  } finally {
    await client.end();
  }
});
