import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Issue } from '../../core/outcome.ts';
import { CODE_TABLES, decode, labelOf, patientSex, stateStatus } from '../../transforms/codes.ts';
import { countryCode } from '../../transforms/country.ts';
import { addDecimals, compareDecimals, parseDecimal, sumOf } from '../../transforms/decimal.ts';
import { jsonOf } from '../../transforms/json-text.ts';
import {
  doctorNumber,
  orderNumber,
  patientCaseNumber,
  patientNumber,
  paymentNumber,
  projectNumber,
} from '../../transforms/numbers.ts';
import { phoneE164 } from '../../transforms/phone.ts';
import { isTestAccount } from '../../transforms/test-accounts.ts';
import { emptyToNull, joinFilled, trimSpaces } from '../../transforms/text.ts';
import { interval, microsOf, yearMonth } from '../../transforms/times.ts';

describe('JSON in text (T18, T37, T69, T76, T77)', () => {
  const read = (text: string | null) => {
    const issues: Issue[] = [];
    return { json: jsonOf('schemes', text, issues), issues: issues.map(({ reason }) => reason) };
  };

  test.each([null, '', ' ', ' \t\r\n', 'null', ' null\n'])('%j is null', (text) => {
    expect(read(text)).toEqual({ json: null, issues: [] });
  });

  test.each(['{}', '[]', ' {"a": 1.50, "a": 12345678901234567890.10}\n', '0', '"x"', 'false'])(
    '%j is stored as it is, so that numbers keep every digit',
    (text) => {
      expect(read(text)).toEqual({ json: text, issues: [] });
    },
  );

  test.each([
    ["{'a': None}", 'not JSON'],
    ['{"a": 1', 'not JSON'],
    ['\u00a0', 'not JSON'],
    ['\ufeff{}', 'not JSON'],
    ['{"a": "\\x"}', 'not JSON'],
    ['{"a": "\\u0000"}', 'JSON with \\u0000'],
    ['{"\\u0000": 1}', 'JSON with \\u0000'],
    ['"\\ud83d"', 'JSON with half a surrogate pair'],
    ['"\\ude00"', 'JSON with half a surrogate pair'],
    ['"\\ud83d\\n\\ude00"', 'JSON with half a surrogate pair'],
    ['{"\\ud83dx\\ude00": 1}', 'JSON with half a surrogate pair'],
    ['[1e131072]', 'JSON with a number that numeric does not hold'],
    ['[1e-16384]', 'JSON with a number that numeric does not hold'],
    ['['.repeat(5001) + ']'.repeat(5001), 'JSON nested too deep'],
  ])('%j is kept whole as a JSON string', (text, reason) => {
    expect(read(text)).toEqual({ json: JSON.stringify(text), issues: [reason] });
  });

  test.each(['"\\\\u0000"', '"\\ud83d\\ude00"', '[1e131071]', '[0e999999]', '"1e999999"', '"[[["'])(
    '%s only looks like one of these',
    (text) => {
      expect(read(text)).toEqual({ json: text, issues: [] });
    },
  );
});

describe('decimals', () => {
  const decimal = fc
    .tuple(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.integer({ min: 0, max: 30 }))
    .map(([units, scale]) => {
      const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0');
      const point = digits.length - scale;
      const fraction = scale === 0 ? '' : `.${digits.slice(point)}`;
      return { text: `${units < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`, units, scale };
    });

  test('compare and add exactly, whatever their scales (T70)', () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const left = a.units * 10n ** BigInt(30 - a.scale);
        const right = b.units * 10n ** BigInt(30 - b.scale);
        const [x, y] = [parseDecimal(a.text), parseDecimal(b.text)];
        expect(Math.sign(compareDecimals(x, y))).toBe(left < right ? -1 : left > right ? 1 : 0);
        const sum = { units: left + right, scale: 30 };
        expect(compareDecimals(addDecimals(x, y), sum)).toBe(0);
      }),
    );
  });

  test('NaN and the infinities are ordered and added as PostgreSQL does', () => {
    const sorted = ['-Infinity', '-1', '0', '0.00', '1e0'.replace('e0', ''), 'Infinity', 'NaN'];
    const values = sorted.map(parseDecimal);
    expect(
      [...values]
        .reverse()
        .sort(compareDecimals)
        .map((it) => typeof it),
    ).toEqual(values.map((it) => typeof it));
    expect(compareDecimals('NaN', 'NaN')).toBe(0);
    expect(sumOf(['1', 'Infinity', '-5'])).toBe('Infinity');
    expect(sumOf(['Infinity', '-Infinity'])).toBe('NaN');
    expect(sumOf(['NaN', '-Infinity'])).toBe('NaN');
    expect(sumOf([null, '0.10', null, '0.20'])).toEqual({ units: 30n, scale: 2 });
    expect(sumOf([])).toEqual({ units: 0n, scale: 0 });
  });
});

describe('times', () => {
  test.each([
    ['2025-03-01 12:00:00.123+00', '202503'],
    ['0099-12-31 23:59:59+00', '009912'],
    ['12345-07-01 00:00:00+00', '1234507'],
    ['0044-03-15 12:00:00+00 BC', '004403'],
    ['infinity', '000000'],
    ['-infinity', '000000'],
    [null, '000000'],
  ])('year and month of %s are %s', (time, expected) => {
    expect(yearMonth(time)).toBe(expected);
  });

  test('microseconds agree with those of Date, where Date has the time', () => {
    const range = { min: new Date(-6e13), max: new Date(2.5e14), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        const text = date.toISOString().replace(/^\+0*/, '').replace('T', ' ').replace('Z', '+00');
        expect(microsOf(text)).toBe(BigInt(date.getTime()) * 1000n);
      }),
    );
  });

  test.each([
    ['2025-03-01 12:00:00+00', '2025-03-03 15:04:05.678+00', '2 days 03:04:05.678'],
    ['2025-03-01 12:00:00+00', '2025-03-02 12:00:00+00', '1 day'],
    ['2025-03-01 12:00:00+00', '2025-03-01 12:00:00+00', '00:00:00'],
    ['2025-03-30 00:00:00+00', '2025-03-31 00:00:00+00', '1 day'],
    ['2025-03-01 12:00:00.5+00', '2025-03-01 12:00:00+00', '-00:00:00.5'],
    ['2025-03-02 12:00:01+00', '2025-03-01 12:00:00+00', '-1 days -00:00:01'],
    ['0001-12-31 23:00:00+00 BC', '0001-01-01 00:00:00+00', '01:00:00'],
    ['-infinity', '2025-03-01 12:00:00+00', null],
    [null, '2025-03-01 12:00:00+00', null],
  ])('from %s to %s it is %s', (from, to, expected) => {
    expect(interval(from, to)).toBe(expected);
  });
});

test('numbers are padded to six digits, and longer ones stay whole', () => {
  expect([patientNumber(42), doctorNumber(7), paymentNumber(1_234_567)]).toEqual([
    'PAT-000042',
    'DOC-000007',
    'PAY-1234567',
  ]);
});

test('an order number takes the suffix of the order, else of its patient, else ORD (T15)', () => {
  expect(orderNumber(5, { own: 'aB3x', ofPatient: 'zzzz' })).toBe('aB3x-5');
  expect(orderNumber(5, { own: '', ofPatient: 'zzzz' })).toBe('zzzz-5');
  expect(orderNumber(5, { own: null, ofPatient: '' })).toBe('ORD-5');
  expect(patientCaseNumber(9, 'aB3x')).toBe('CASE-aB3x-9');
  expect(patientCaseNumber(9, '')).toBe('CASE-PT-9');
  expect(projectNumber(3, '2025-12-31 23:59:59.999+00')).toBe('PRJ-202512-3');
});

test('only the empty string is empty', () => {
  expect([emptyToNull(''), emptyToNull(' '), emptyToNull(null)]).toEqual([null, ' ', null]);
  expect(trimSpaces('  a b\t ')).toBe('a b\t');
  expect(trimSpaces('   ')).toBe('');
  expect([joinFilled('a', 'b'), joinFilled('', 'b'), joinFilled(null, '')]).toEqual([
    'a b',
    'b',
    null,
  ]);
});

test.each([
  ['usa', 'US'],
  [' U.S.A. ', 'US'],
  ['日本', 'JP'],
  ['ประเทศไทย', 'TH'],
  ['bharat', 'IN'],
  ['England', 'GB'],
  ['Korea', 'KR'],
  ['Germany', 'DE'],
  ['de', 'DE'],
  ['DEU', 'DE'],
  ['XK', 'XK'],
  ['840', null],
  ['Atlantis', null],
  ['', null],
  [null, null],
])('the country %j is %j (T23)', (country, code) => {
  expect(countryCode(country)).toBe(code);
});

test.each([
  ['(212) 555-2368', 'US', '+12125552368'],
  ['０３-１２３４-５６７８', 'JP', '+81312345678'],
  ['+44 20 7946 0958', null, '+442079460958'],
  ['+44 20 7946 0958', 'JP', '+442079460958'],
  ['020 7946 0958', null, null],
  ['12', 'US', null],
  ['call me', 'US', null],
  ['', 'US', null],
  [null, 'US', null],
  ['(212) 555-2368', 'AQ', null],
])('the number %j in %j is %j (T25)', (phone, country, expected) => {
  expect(phoneE164(phone, country)).toBe(expected);
});

test('a test account is known by the domain behind the last @, whatever its case (T09)', () => {
  expect(isTestAccount('a@x@Example.COM', null)).toBe(true);
  expect(isTestAccount('example.com', null)).toBe(false);
  expect(isTestAccount('a@example.com.evil.net', 'demo')).toBe(false);
  expect(isTestAccount(null, null)).toBe(false);
});

test('a code without a label is one issue for all rows, and null is no code (T16, T35)', () => {
  const issues: Issue[] = [];
  expect(decode(patientSex, 9, issues)).toBe('unknown');
  expect(decode(patientSex, null, issues)).toBe('unknown');
  expect(labelOf(patientSex, 0, issues)).toBe('other');
  expect(labelOf(stateStatus, 13, issues)).toBeNull();
  expect(issues).toEqual([
    { column: 'sex', reason: 'code 9 has no label', shared: true },
    { column: 'status', reason: 'code 13 has no label', shared: true },
  ]);
  expect(new Set(CODE_TABLES.map(({ table, column }) => `${table}.${column}`)).size).toBe(
    CODE_TABLES.length,
  );
});
