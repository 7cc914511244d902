import type pg from 'pg';
import { ident } from '../../connectors/postgres/sql.ts';
import type { Random } from '../../demo/legacy/random.ts';
import type { LegacyRow } from './apply-bench.ts';
import type { TestDatabase } from './database.ts';

/** Values for the columns of the table `sample`. */
export type SampleValues = Readonly<Record<string, readonly (string | null)[]>>;

type Table = { readonly name: string; readonly key: readonly string[]; readonly keys: number };

const TABLES: readonly Table[] = [
  { name: 'auth_user', key: ['id'], keys: 30 },
  { name: 'office', key: ['id'], keys: 12 },
  { name: 'patient', key: ['id'], keys: 40 },
  { name: 'jaw', key: ['id'], keys: 10 },
  { name: 'instruction', key: ['id'], keys: 60 },
  { name: 'instruction_state', key: ['id'], keys: 80 },
  { name: 'office_user', key: ['office_id', 'user_id'], keys: 30 },
  { name: 'django_content_type', key: ['id'], keys: 4 },
  { name: 'record', key: ['id'], keys: 40 },
  { name: 'sample', key: ['id'], keys: 60 },
];

/**
 * `count` random transactions of the small legacy application: rows written, written again, deleted,
 * their keys changed, some of it rolled back.
 */
export async function smallTraffic(
  source: TestDatabase,
  random: Random,
  { count = 100, sample = {} }: { readonly count?: number; readonly sample?: SampleValues } = {},
): Promise<void> {
  const client = await source.client();
  for (let i = 0; i < count; i++) {
    await client.query('begin');
    for (let changes = random.int(1, 4); changes > 0; changes--) {
      await change(client, random, sample);
    }
    await client.query(random.chance(0.1) ? 'rollback' : 'commit');
  }
  await client.end();
}

async function change(client: pg.Client, random: Random, sample: SampleValues): Promise<void> {
  const table = random.pick(TABLES);
  const key = keyOf(table, random.int(1, table.keys));
  const where = table.key.map((name, i) => `${ident(name)} = $${i + 1}`).join(' and ');
  const values = Object.values(key);
  const what = random.next();
  if (what < 0.15) {
    await client.query(`delete from public.${table.name} where ${where}`, values);
  } else if (what < 0.2 && table.key.length === 1) {
    await client.query(
      `update public.${table.name} set id = $2 where id = $1
       and not exists (select from public.${table.name} where id = $2)`,
      [values[0], random.int(1, table.keys)],
    );
  } else {
    const row = { ...key, ...restOf(table.name, random, sample) };
    const set = Object.keys(row).map((name) => `${ident(name)} = excluded.${ident(name)}`);
    const names = Object.keys(row).map(ident).join(', ');
    const places = Object.keys(row).map((_, i) => `$${i + 1}`);
    await client.query(
      `insert into public.${table.name} (${names}) values (${places.join(', ')})
       on conflict (${table.key.map(ident).join(', ')}) do update set ${set.join(', ')}`,
      Object.values(row),
    );
  }
}

function keyOf(table: Table, n: number): LegacyRow {
  return table.key.length === 1 ? { id: n } : { office_id: 1 + (n % 5), user_id: 1 + (n >> 1) };
}

const NAMES = ['ada', 'ben', 'eva', 'robot', 'rejected'];
const TYPES = ['instruction', 'patient', 'office'];

function restOf(table: string, random: Random, sample: SampleValues): LegacyRow {
  const upTo = (most: number) => random.int(1, most);
  const orNull = (most: number) => (random.chance(0.2) ? null : upTo(most));
  switch (table) {
    case 'auth_user':
      return {
        name: random.pick(NAMES),
        last_login: random.chance(0.2) ? null : `2024-01-0${upTo(9)} 10:00:00+00`,
      };
    case 'office':
      return { name: `office ${upTo(99)}`, parent_id: orNull(12) };
    case 'patient':
      return {
        user_id: upTo(30),
        office_id: orNull(12),
        doctor_id: orNull(30),
        note: large(random),
      };
    case 'jaw':
      return { kind: `kind ${upTo(5)}` };
    case 'instruction':
      return {
        patient_id: upTo(40),
        status: upTo(9),
        notes: large(random),
        upper_jaw_id: orNull(10),
        lower_jaw_id: orNull(10),
      };
    case 'instruction_state':
      return {
        instruction_id: upTo(60),
        status: upTo(9),
        set_at: `2024-02-0${upTo(9)} 10:00:00+00`,
      };
    case 'office_user':
      return { label: `label ${upTo(9)}` };
    case 'django_content_type':
      return { app_label: 'dispatch', model: random.pick(TYPES) };
    case 'record':
      return { content_type_id: orNull(4), object_id: orNull(60), body: large(random) };
    default:
      return Object.fromEntries(
        Object.entries(sample)
          .filter(([, values]) => values.length > 0 && random.chance(0.3))
          .map(([name, values]) => [name, random.pick(values)]),
      );
  }
}

/** Sometimes too long to be sent along with an update that leaves it alone. */
function large(random: Random): string | null {
  if (random.chance(0.2)) return null;
  const length = random.chance(0.1) ? 500 : 1;
  return Array.from({ length }, () => random.int(0, 1e9).toString(36)).join(' ');
}
