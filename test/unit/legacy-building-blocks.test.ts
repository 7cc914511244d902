import fc from 'fast-check';
import { expect, test } from 'vitest';
import { copyLine } from '../../demo/legacy/load/copy-text.ts';
import { spread } from '../../demo/legacy/load/spread.ts';
import { Random } from '../../demo/legacy/random.ts';
import { contentTypeId, CONTENT_TYPES } from '../../demo/legacy/reference-ids.ts';
import { djangoName, table } from '../../demo/legacy/schema/definition.ts';
import { LEGACY_TABLES, legacyTable, SECRET_COLUMNS } from '../../demo/legacy/schema/tables.ts';
import { pauseMs } from '../../demo/legacy/traffic/pace.ts';
import { IdPool } from '../../demo/legacy/traffic/pool.ts';

test('the schema has 66 tables, 53 of them of the application', () => {
  expect(LEGACY_TABLES).toHaveLength(66);
  expect(LEGACY_TABLES.filter(({ name }) => name.startsWith('dispatch_'))).toHaveLength(53);
});

test('every foreign key and every secret column names something that exists', () => {
  for (const { columns } of LEGACY_TABLES) {
    for (const { references } of columns) if (references !== null) legacyTable(references);
  }
  for (const secret of SECRET_COLUMNS) {
    const [name = '', column = ''] = secret.split('.');
    expect(legacyTable(name).columns.map((c) => c.name)).toContain(column);
  }
});

test('names of indexes and constraints are those that Django makes', () => {
  expect(djangoName('auth_user', ['username'], '_like')).toBe('auth_user_username_6821ab7c_like');
  expect(djangoName('auth_user_groups', ['user_id', 'group_id'], '_uniq')).toBe(
    'auth_user_groups_user_id_group_id_94350c0c_uniq',
  );
});

test('content types keep the observed numbers and number 51', () => {
  expect(CONTENT_TYPES.size).toBe(51);
  expect(contentTypeId('dispatch.patient')).toBe(11);
  expect(contentTypeId('dispatch.user')).toBe(58);
  expect(new Set(CONTENT_TYPES.values()).size).toBe(51);
});

test('the same seed gives the same sequence, and forks are independent of the draws before', () => {
  const draws = (random: Random) => Array.from({ length: 20 }, () => random.next());
  expect(draws(new Random(5))).toEqual(draws(new Random(5)));
  const advanced = new Random(5);
  advanced.next();
  expect(draws(advanced.fork('a'))).toEqual(draws(new Random(5).fork('a')));
  expect(draws(new Random(5).fork('b'))).not.toEqual(draws(new Random(5).fork('a')));
});

test('every planted variant falls on exactly one row, however few rows there are', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 500 }), (n, more) => {
      const variants = Array.from({ length: n }, (_, i) => i);
      const placed = spread(variants, n + more);
      const found = Array.from({ length: n + more }, (_, row) => placed(row)).filter(
        (variant) => variant !== undefined,
      );
      expect(found).toEqual(variants);
    }),
  );
});

test('a row is written for COPY with nulls, empty strings and escapes kept apart', () => {
  const notes = table('notes', 'text text null\n empty text\n flag boolean');
  expect(copyLine(notes, { id: 1, text: null, empty: '', flag: true })).toBe('1\t\\N\t\tt\n');
  expect(copyLine(notes, { id: 2, text: 'a\tb\n\\N', empty: '\r', flag: false })).toBe(
    '2\ta\\tb\\n\\\\N\t\\r\tf\n',
  );
  expect(() => copyLine(notes, { id: 3, text: null, flag: true })).toThrow('lacks empty');
});

test('a pool offers what was added and not removed', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 9 }))), (steps) => {
      const pool = new IdPool();
      const model = new Set<number>();
      for (const [add, id] of steps) {
        if (add) pool.add(id);
        else pool.remove(id);
        if (add) model.add(id);
        else model.delete(id);
      }
      const random = new Random(1);
      const taken = new Set<number>();
      for (let id = pool.take(random); id !== undefined; id = pool.take(random)) taken.add(id);
      expect(taken).toEqual(model);
    }),
  );
});

test('the pause makes up for being ahead and never for being behind', () => {
  expect(pauseMs(300, 900, 300)).toBeCloseTo(100);
  expect(pauseMs(300, 1500, 300)).toBe(0);
  expect(pauseMs(-5000, 10, 300)).toBe(0);
});
