import { expect, test } from 'vitest';
import { generateLegacy } from '../../demo/legacy/generate.ts';
import { createLegacySchema, LEGACY_TABLES } from '../../demo/legacy/schema.ts';
import { ALL_TRAPS } from '../../demo/legacy/traps/all.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';

const SEED = 7;

/** A digest over all rows of all tables: equal digests, equal databases. */
async function digests(db: TestDatabase): Promise<Record<string, unknown>> {
  const result: Record<string, unknown> = {};
  for (const { name, key } of LEGACY_TABLES) {
    const [row] = await db.query(
      `select md5(string_agg(t::text, chr(10) order by t."${key.name}")) as digest from "${name}" t`,
    );
    result[name] = row?.['digest'];
  }
  return result;
}

test('a tiny world carries every trap that rows at rest can carry', async () => {
  await using db = await freshDatabase();
  const planted = await generateLegacy({
    connectionString: db.connectionString,
    seed: SEED,
    scale: 'tiny',
  });
  const needsVariant = new Set(['T14']);
  const numbers = new Set(ALL_TRAPS.map(({ number }) => number));
  const missing = [...numbers].filter((n) => !planted.has(n) && !needsVariant.has(n));
  expect(missing).toEqual([]);
  const largest = Math.max(...[...planted.values()].flat().map(({ ids }) => ids.length));
  expect(largest).toBeLessThanOrEqual(1000);
});

test('the same seed gives the same rows, with the schema made before or on the way', async () => {
  await using one = await freshDatabase();
  await using two = await freshDatabase();
  await createLegacySchema(two.connectionString);
  for (const db of [one, two]) {
    await generateLegacy({ connectionString: db.connectionString, seed: SEED, scale: 'tiny' });
  }
  expect(await digests(one)).toEqual(await digests(two));
});

test('all foreign keys are there, validated, deferrable and deferred', async () => {
  await using db = await freshDatabase();
  await generateLegacy({ connectionString: db.connectionString, seed: SEED, scale: 'tiny' });
  const foreignKeys = LEGACY_TABLES.flatMap(({ columns }) =>
    columns.filter(({ references }) => references !== null),
  );
  const [row] = await db.query(
    `select count(*)::int as n from pg_constraint where contype = 'f' and condeferrable
     and condeferred and convalidated and confdeltype = 'a'`,
  );
  expect(row?.['n']).toBe(foreignKeys.length);
});

test('sequences stand behind the highest id', async () => {
  await using db = await freshDatabase();
  await generateLegacy({ connectionString: db.connectionString, seed: SEED, scale: 'tiny' });
  const [row] = await db.query(
    `select max(id) as highest, nextval('dispatch_task_id_seq')::int as next from dispatch_task`,
  );
  expect(row?.['next']).toBe(Number(row?.['highest']) + 1);
});

test('two patients share an account only in the variant that leaves the constraint out', async () => {
  await using db = await freshDatabase();
  const planted = await generateLegacy({
    connectionString: db.connectionString,
    seed: SEED,
    scale: 'tiny',
    variant: { sharedPatientAccounts: true },
  });
  expect(planted.get('T14')?.[0]?.count).toBeGreaterThan(1);
});

test('large texts are stored out of line, so that changes can come without them', async () => {
  await using db = await freshDatabase();
  await generateLegacy({ connectionString: db.connectionString, seed: SEED, scale: 'tiny' });
  const [row] = await db.query(
    `select pg_relation_size(reltoastrelid) as size from pg_class where relname = 'dispatch_record'`,
  );
  expect(Number(row?.['size'])).toBeGreaterThan(0);
});
