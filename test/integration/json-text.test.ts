import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Issue } from '../../core/outcome.ts';
import { jsonOf, refusalOf } from '../../transforms/json-text.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';

/** What the server says of each text. A block with a handler also survives a full stack. */
async function accepted(db: TestDatabase, texts: readonly string[]): Promise<boolean[]> {
  await db.query(`
    create or replace function is_jsonb(given text) returns boolean language plpgsql as $$
    begin
      perform given::jsonb;
      return true;
    exception when others then
      return false;
    end $$`);
  const rows = await db.query(
    'select is_jsonb(given) as ok from unnest($1::text[]) with ordinality as t (given, i) order by i',
    [texts],
  );
  return rows.map((row) => row['ok'] === true);
}

async function compare(texts: fc.Arbitrary<string>): Promise<void> {
  await using db = await freshDatabase();
  const several = fc.array(texts, { minLength: 50, maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(several, async (given) => {
      const ours = given.filter((text) => refusalOf(text) === null);
      const verdicts = await accepted(db, given);
      expect(ours).toEqual(given.filter((_, i) => verdicts[i]));
    }),
    { numRuns: 40 },
  );
}

const bits = fc.constantFrom(
  ...['{', '}', '[', ']', ':', ',', '"', '""', '"a"', '"a":1', '1', '-', '0', '01', '.5', 'e5'],
  ...[' ', '\t', '\n', '\r', '\f', '\v', '\u00a0', '\ufeff', '\u2028', '\u001f', '\u007f', '😀'],
  ...['null', 'true', 'false', 'None', 'NaN', 'Infinity', "'", '\\', '\\"', '\\u', '\\u0000'],
);
const escapes = fc.constantFrom(
  ...['\\u0000', '\\u0001', '\\ud800', '\\udbff', '\\udc00', '\\uDFFF', '\\uD83D\\uDE00', '\\\\'],
  ...['\\n', '\\/', '\\x', '\\u12', '\\u12G4', 'u0000', 'a', 'é', '😀', '\\u00e9', '\\ue000', '/'],
);
const string = fc.array(escapes, { maxLength: 6 }).map((parts) => `"${parts.join('')}"`);

test('what we take for jsonb is what the server takes: any text', () =>
  compare(fc.array(bits, { maxLength: 8 }).map((parts) => parts.join(''))));

test('what we take for jsonb is what the server takes: escapes in strings and keys', () =>
  compare(
    fc
      .tuple(string, string)
      .chain(([a, b]) => fc.constantFrom(a, `{${a}:${b}}`, `[${a},${b}]`, `{"k":[1,${a}]}`)),
  ));

const near = (...limits: readonly number[]) =>
  fc
    .tuple(fc.constantFrom(0, 1, ...limits), fc.integer({ min: -3, max: 3 }))
    .map(([limit, distance]) => Math.max(0, limit + distance));
const number = fc
  .record({
    sign: fc.constantFrom('', '-'),
    first: fc.constantFrom('0', '1', '9'),
    whole: near(4, 131_072),
    fractionFirst: fc.constantFrom('0', '7'),
    fraction: near(4, 16_383),
    exponent: fc.oneof(
      near(4, 131_072, 16_383, 1_073_741_818, 1_073_741_828, 2_147_483_647),
      fc.bigInt(),
    ),
    exponentSign: fc.constantFrom(null, 'e', 'E+', 'e-', 'e-00'),
  })
  .map((it) => {
    const whole = it.first === '0' ? '0' : it.first + '3'.repeat(Math.max(0, it.whole - 1));
    const fraction = it.fraction === 0 ? '' : `.${it.fractionFirst.repeat(it.fraction)}`;
    const size = String(it.exponent).replace('-', '');
    return it.sign + whole + fraction + (it.exponentSign === null ? '' : it.exponentSign + size);
  });

test('what we take for jsonb is what the server takes: numbers at the limits of numeric', () =>
  compare(number.chain((text) => fc.constantFrom(text, `{"a":[${text}]}`, `"${text}"`))));

test('what is refused for its depth is a string; what is not, the server takes', async () => {
  await using db = await freshDatabase();
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  const objects = '{"a":'.repeat(5_000) + '1' + '}'.repeat(5_000);
  expect(await accepted(db, [nested(5_000), objects])).toEqual([true, true]);
  expect(refusalOf(nested(5_000))).toBeNull();
  expect(refusalOf(objects)).toBeNull();
  expect(refusalOf(nested(5_001))).toBe('JSON nested too deep');
  expect(refusalOf(nested(500_000))).toBe('JSON nested too deep');
  expect(await accepted(db, [nested(500_000)])).toEqual([false]);
});

test('whatever the text, what we store is jsonb, and reads back as the text or its value', async () => {
  await using db = await freshDatabase();
  const text = fc.oneof(string, number, fc.json(), fc.string({ unit: 'binary' }));
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 20 }), async (given) => {
      const texts = given.map((it) => it.replaceAll('\u0000', '0'));
      const issues: Issue[] = [];
      const stored = texts.map((it) => jsonOf('column', it, issues));
      const rows = await db.query(
        `select stored::jsonb #>> '{}' as text from unnest($1::text[]) with ordinality as t (stored, i)
         order by i`,
        [stored],
      );
      expect(rows).toHaveLength(texts.length);
      stored.forEach((json, i) => {
        if (json !== texts[i] && json !== null) expect(rows[i]).toEqual({ text: texts[i] });
      });
    }),
    { numRuns: 30 },
  );
});
