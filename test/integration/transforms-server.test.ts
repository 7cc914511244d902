import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Choices, makeTree } from '../../cli/mapping-doc/synthetic-trees.ts';
import { readWords } from '../../cli/mapping-doc/source-code.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import { Ref, type TargetValue } from '../../core/outcome.ts';
import {
  addDecimals,
  compareDecimals,
  parseDecimal,
  type Decimal,
} from '../../transforms/decimal.ts';
import mapping from '../../transforms/mapping.ts';
import { projectNumber } from '../../transforms/numbers.ts';
import { interval } from '../../transforms/times.ts';
import { freshDatabase } from '../harness/database.ts';

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'supabase', 'migrations');

const micros = fc.bigInt({ min: -200_000_000_000_000_000n, max: 4_000_000_000_000_000_000n });

test('intervals and project numbers are those that the server computes', async () => {
  await using db = await freshDatabase();
  await db.query(`alter database ${db.name} set timezone to 'UTC'`);
  const client = await db.client();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(micros, micros), { minLength: 50 }), async (pairs) => {
      const { rows } = await client.query<{ a: string; b: string; gap: string; month: string }>(
        `select a::text, b::text, (b - a)::text as gap, to_char(a, 'YYYYMM') as month from (
           select timestamptz 'epoch' + x * interval '1 microsecond' as a,
                  timestamptz 'epoch' + y * interval '1 microsecond' as b
           from unnest($1::numeric[], $2::numeric[]) as t (x, y)) as times`,
        [pairs.map(([a]) => String(a)), pairs.map(([, b]) => String(b))],
      );
      for (const { a, b, gap, month } of rows) {
        expect(interval(a, b)).toBe(gap);
        expect(projectNumber(1, a)).toBe(`PRJ-${month}-1`);
      }
    }),
    { numRuns: 40 },
  );
});

const decimal = fc.oneof(
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '0', '-0.00', '0.0000001'),
  fc.tuple(fc.bigInt(), fc.integer({ min: 0, max: 20 })).map(([digits, scale]) => {
    const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0');
    const fraction = scale === 0 ? '' : `.${text.slice(text.length - scale)}`;
    return `${digits < 0n ? '-' : ''}${text.slice(0, text.length - scale)}${fraction}`;
  }),
);

test('decimals are ordered and added as the server does', async () => {
  await using db = await freshDatabase();
  const same = (a: Decimal, text: string) => compareDecimals(a, parseDecimal(text)) === 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(decimal, decimal), { minLength: 50 }), async (pairs) => {
      const rows = await db.query(
        `select (a + b)::text as sum, case when a < b then -1 when a > b then 1 else 0 end as sign
         from unnest($1::numeric[], $2::numeric[]) with ordinality as t (a, b, i) order by i`,
        [pairs.map(([a]) => a), pairs.map(([, b]) => b)],
      );
      pairs.forEach(([a, b], i) => {
        const [x, y] = [parseDecimal(a), parseDecimal(b)];
        expect(Math.sign(compareDecimals(x, y))).toBe(rows[i]?.['sign']);
        expect(same(addDecimals(x, y), String(rows[i]?.['sum']))).toBe(true);
      });
    }),
    { numRuns: 40 },
  );
});

test('whatever the legacy rows hold, the target table takes the row', async () => {
  await using db = await freshDatabase();
  for (const name of readdirSync(MIGRATIONS).sort()) {
    if (name.endsWith('.sql')) await db.query(readFileSync(join(MIGRATIONS, name), 'utf8'));
  }
  const client = await db.client();
  // Foreign keys are not the subject, and nobody has parents here.
  await client.query('set session_replication_role = replica');
  const derived = mapping.entities.filter((it): it is DerivedEntity => it.kind === 'derived');
  for (const entity of derived) {
    const choices = new Choices(11, readWords(entity.definedAt.replace(/:\d+$/, '')));
    const target = entity.targets[0] ?? '';
    let taken = 0;
    for (let key = 1; key <= 60; key += 1) {
      choices.isBare = key % 2 === 0;
      const outcome = entity.map(makeTree(entity.shape, choices, key) as never);
      for (const { row } of outcome.kind === 'rows' ? outcome.rows : []) {
        const names = Object.keys(row);
        await client.query(
          `insert into public.${target} (${names.join(', ')})
           values (${names.map((_, i) => `$${i + 1}`).join(', ')})
           on conflict (id) do update set id = excluded.id`,
          Object.values(row).map(parameter),
        );
        taken += 1;
      }
    }
    expect(taken, entity.name).toBeGreaterThan(20);
  }
});

const parameter = (value: TargetValue): unknown => (value instanceof Ref ? value.uuid : value);
