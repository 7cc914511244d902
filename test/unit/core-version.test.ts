import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareVersions, formatLsn, parseLsn, type Lsn } from '../../core/version.ts';

const lsn = fc.bigInt(0n, 2n ** 64n - 1n).map((n) => n as Lsn);
const version = fc.record({ commitLsn: lsn, changeLsn: lsn });

test('a position is the same after it was printed and read', () => {
  fc.assert(
    fc.property(lsn, (n) => {
      expect(parseLsn(formatLsn(n))).toBe(n);
    }),
  );
  expect(formatLsn(0n as Lsn)).toBe('0/0');
  expect(formatLsn(0x16_b374d848n as Lsn)).toBe('16/B374D848');
  expect(parseLsn('16/b374d848')).toBe(0x16_b374d848n);
});

test('what is no position is refused', () => {
  for (const text of ['', '0', '0/', '/0', '123456789/0', '0/123456789', 'x/0', '0/0 ', '-1/0']) {
    expect(() => parseLsn(text)).toThrow('LSN_MALFORMED');
  }
});

test('versions are in one order: by commit first, and none is newer than itself', () => {
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
      expect(compareVersions(a, { ...a })).toBe(0);
      if (a.commitLsn !== b.commitLsn) {
        expect(compareVersions(a, b) < 0).toBe(a.commitLsn < b.commitLsn);
      }
      const [first, second, third] = [a, b, c].sort(compareVersions);
      if (first === undefined || second === undefined || third === undefined) return;
      expect(compareVersions(first, third)).toBeLessThanOrEqual(0);
      expect(compareVersions(first, second)).toBeLessThanOrEqual(0);
    }),
  );
});
