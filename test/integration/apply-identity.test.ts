import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { controlSchemaSql } from '../../consumers/control-schema.ts';
import { uuidOf } from '../../core/uuid.ts';
import { formatLsn, parseLsn, type Lsn } from '../../core/version.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  // Twice: every statement may be repeated.
  for (const sql of [...controlSchemaSql(), ...controlSchemaSql()]) await db.query(sql);
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
});

const text = fc
  .string({ unit: 'binary', maxLength: 20 })
  .filter((it) => !it.includes('\0') && Buffer.from(it).toString() === it);
const many = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.array(arbitrary, { minLength: 50, maxLength: 200, size: 'max' });
const ids = async (sql: string, ...params: unknown[]) =>
  (await db.query(sql, params)).map((row) => row['id']);

test('SQL computes the id of an integer as TypeScript does, negative and beyond 2^53 too', async () => {
  const key = fc.oneof(
    fc.maxSafeInteger(),
    fc.bigInt(-(2n ** 61n), 2n ** 62n - 1n),
    fc.constantFrom(0, 2 ** 48 - 1, 2 ** 48, 2 ** 48 + 1, 2n ** 62n - 1n, -1),
  );
  await fc.assert(
    fc.asyncProperty(text, many(key), async (name, keys) => {
      const found = await ids(
        'select tandem.uuid_of($1::text, key) as id from unnest($2::bigint[]) as key',
        name,
        keys.map(String),
      );
      expect(found).toEqual(keys.map((key) => uuidOf(name, key)));
    }),
    { numRuns: 20 },
  );
});

test('SQL computes the id of a pair as TypeScript does', async () => {
  const part = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  await fc.assert(
    fc.asyncProperty(text, many(fc.tuple(part, part)), async (name, keys) => {
      const found = await ids(
        'select tandem.uuid_of($1::text, a, b) as id from unnest($2::int[], $3::int[]) as pair (a, b)',
        name,
        keys.map(([a]) => a),
        keys.map(([, b]) => b),
      );
      expect(found).toEqual(keys.map((key) => uuidOf(name, key)));
    }),
    { numRuns: 20 },
  );
});

test('SQL computes the id of a text as TypeScript does', async () => {
  await fc.assert(
    fc.asyncProperty(text, many(text), async (name, keys) => {
      const found = await ids(
        'select tandem.uuid_of($1::text, key) as id from unnest($2::text[]) as key',
        name,
        keys,
      );
      expect(found).toEqual(keys.map((key) => uuidOf(name, key)));
    }),
    { numRuns: 20 },
  );
});

test('a position means the same to PostgreSQL, and versions compare as pairs there', async () => {
  const lsn = fc.bigInt(0n, 2n ** 64n - 1n).map((n) => n as Lsn);
  await fc.assert(
    fc.asyncProperty(many(lsn), async (values) => {
      const rows = await db.query(
        `select lsn::text, lsn - '0/0'::pg_lsn as n from unnest($1::pg_lsn[]) as lsn`,
        [values.map(formatLsn)],
      );
      expect(rows.map((row) => parseLsn(String(row['lsn'])))).toEqual(values);
      expect(rows.map((row) => row['lsn'])).toEqual(values.map(formatLsn));
      expect(rows.map((row) => BigInt(String(row['n'])))).toEqual(values);
    }),
    { numRuns: 10 },
  );
});
