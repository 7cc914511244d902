import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyOf, uuidOf, uuidRange } from '../../core/uuid.ts';

const VERSION_8 = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const id = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.bigInt(0n, 2n ** 61n - 1n));
const part = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const key = fc.oneof(id, fc.tuple(part, part), fc.string());

test('an id is a uuid of version 8, and the same whenever it is computed', () => {
  fc.assert(
    fc.property(fc.string(), key, (identity, key) => {
      expect(uuidOf(identity, key)).toMatch(VERSION_8);
      expect(uuidOf(identity, key)).toBe(uuidOf(identity, key));
    }),
  );
});

test('a number and a bigint of the same value have the same id', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (n) => {
      expect(uuidOf('patient', n)).toBe(uuidOf('patient', BigInt(n)));
    }),
  );
});

test('an id tells the key that it was computed from, but for texts and other identities', () => {
  const plain = fc.oneof(id, fc.tuple(part, part));
  fc.assert(
    fc.property(plain, (one) => {
      const found = keyOf('patient', uuidOf('patient', one));
      expect(String(found)).toBe(String(one));
      expect(keyOf('order', uuidOf('patient', one))).toBeNull();
    }),
  );
  expect(keyOf('patient', uuidOf('patient', 'a text'))).toBeNull();
  expect(keyOf('patient', uuidOf('patient', -1))).toBeNull();
});

test('ids sort as the legacy ids do', () => {
  fc.assert(
    fc.property(id, id, (a, b) => {
      const [small, large] = BigInt(a) < BigInt(b) ? [a, b] : [b, a];
      if (BigInt(a) === BigInt(b)) return;
      expect(uuidOf('patient', small) < uuidOf('patient', large)).toBe(true);
    }),
  );
  fc.assert(
    fc.property(part, part, part, part, (a, b, c, d) => {
      if (a === c && b === d) return;
      const isLess = a < c || (a === c && b < d);
      expect(uuidOf('link', [a, b]) < uuidOf('link', [c, d])).toBe(isLess);
    }),
  );
});

test('another identity, another form of key, another id', () => {
  const ids = [
    uuidOf('patient', 1),
    uuidOf('order', 1),
    uuidOf('patient', '1'),
    uuidOf('patient', [0, 1]),
    uuidOf('patient', [1, 0]),
    uuidOf('patient', -1),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});

test('all ids of an identity are in its range, and no other is', () => {
  const { first, last } = uuidRange('patient');
  fc.assert(
    fc.property(key, (key) => {
      const own = uuidOf('patient', key);
      expect(own >= first && own <= last).toBe(true);
      const other = uuidOf('order', key);
      expect(other >= first && other <= last).toBe(false);
    }),
  );
});

test('a key that an id cannot hold is refused instead of sharing the id of another row', () => {
  const refused = { code: 'MAPPING_REJECTED_ROW' };
  for (const key of [2n ** 62n, -(2n ** 61n) - 1n, [2 ** 31, 0], [0, -1]] as const) {
    expect(() => uuidOf('patient', key)).toThrow(expect.objectContaining(refused));
  }
});
