import { expect, test } from 'vitest';
import { isFragile } from '../../cli/connector/wanted-config.ts';

test('a connector must not stop at arrays that Debezium cannot convert', () => {
  const fragile = (mirrorType: string, baseType = mirrorType) =>
    isFragile({ mirrorType, baseType });
  expect(fragile('numeric[]')).toBe(true);
  expect(fragile('numeric(10,2)[]')).toBe(true);
  expect(fragile('bit(3)[]')).toBe(true);
  // Of an enum, which the mirror has as text: a null in it.
  expect(fragile('text[]', 'mood[]')).toBe(true);
  expect(fragile('text[]')).toBe(false);
  expect(fragile('integer[]')).toBe(false);
  expect(fragile('numeric')).toBe(false);
  expect(fragile('text', 'mood')).toBe(false);
});
