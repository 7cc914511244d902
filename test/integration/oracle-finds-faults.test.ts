import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateLegacy } from '../../demo/legacy/generate.ts';
import { createLegacySchema } from '../../demo/legacy/schema.ts';
import { freshPair, type TestPair } from '../harness/database.ts';
import { assertAgrees, compareWithOracle, type OracleOptions } from '../oracle/compare.ts';
import { EXPECTED_TABLES } from '../oracle/expected/rows.ts';
import { fillTarget } from '../oracle/fill.ts';
import { differenceLines } from '../oracle/report.ts';
import { RULE_FUNCTIONS } from '../oracle/rule-functions.ts';

let pair: TestPair;
let options: OracleOptions;

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'supabase', 'migrations');
const TABLES = EXPECTED_TABLES.map(({ table }) => table);

beforeAll(async () => {
  pair = await freshPair();
  options = {
    sourceUrl: pair.source.connectionString,
    targetUrl: pair.target.connectionString,
    maxExamples: 3,
  };
  for (const file of readdirSync(MIGRATIONS).sort()) {
    await pair.target.query(readFileSync(join(MIGRATIONS, file), 'utf8'));
  }
  await createLegacySchema(options.sourceUrl);
});

afterAll(() => pair[Symbol.asyncDispose]());

async function differences(): Promise<string[]> {
  return differenceLines(await compareWithOracle(options));
}

test('what the migrations plant is what an empty source asks for', async () => {
  const report = await compareWithOracle(options);
  expect(differenceLines(report)).toEqual([]);
  const expected = new Map(report.tables.map((it) => [it.table, it.expected]));
  expect(expected.get('order_types')).toBe(6);
  expect(expected.get('order_states')).toBe(11);
  expect(expected.get('message_types')).toBe(8);
});

describe('on a target filled from the expected rows', () => {
  beforeAll(async () => {
    await generateLegacy({ connectionString: options.sourceUrl, seed: 7, scale: 'tiny' });
    // Tasks are many and alike.
    await pair.source.query('delete from dispatch_task where id % 50 > 0');
    await fillTarget(options.sourceUrl, options.targetUrl);
    await plantJournal();
    await pair.target.query('create schema backup');
    for (const table of TABLES) {
      await pair.target.query(`create table backup.${table} as table public.${table}`);
    }
  });

  test('there is no difference', async () => {
    const { tables, journal } = await compareWithOracle(options);
    const untold = tables.filter((it) => it.expected === 0);
    expect(untold.map(({ table }) => table)).toEqual([]);
    expect(journal.rows).toBe(3);
    await expect(assertAgrees(options)).resolves.toBeUndefined();
  });

  test.each<[fault: string, plant: string, found: unknown[]]>([
    [
      'a row that is not there',
      'delete from tasks where legacy_task_id = (select min(legacy_task_id) from tasks)',
      [expect.stringMatching(/^tasks: missing: 1 \(\d+\)$/)],
    ],
    [
      'a live row that no legacy row yields',
      `insert into content_type_map (id, legacy_content_type_id, app_label, model)
       values ('00000000-0000-4000-8000-000000000000', 9999, 'x', 'y')`,
      ['content_type_map: live without reason: 1 (00000000-0000-4000-8000-000000000000)'],
    ],
    [
      'the live row of a legacy row that is gone',
      `insert into offices (id, legacy_office_id, name, is_valid)
       select (left(id::text, 24) || lpad(to_hex(9999), 12, '0'))::uuid, 9999, 'gone', true
       from offices limit 1`,
      ['offices: live without reason: 1 (9999)'],
    ],
    [
      'a soft-deleted row that is yielded',
      `update jaws set deleted_at = now() where legacy_jaw_id = (select min(legacy_jaw_id) from jaws)`,
      [
        'jaws: column deleted_at differs in 1 rows',
        expect.stringMatching(/^jaws: {3}\d+\.deleted_at: expected null, found "a time"$/),
      ],
    ],
    [
      'a soft-deleted seed',
      `update order_states set deleted_at = now() where key = 'completed'`,
      [
        'order_states: column deleted_at differs in 1 rows',
        expect.stringContaining('.deleted_at: expected null, found "a time"'),
      ],
    ],
    [
      'a soft-deleted seed that no course ever adopted',
      `update order_types set deleted_at = now() where key = 'retainer'`,
      [
        'order_types: column deleted_at differs in 1 rows',
        expect.stringContaining('.deleted_at: expected null, found "a time"'),
      ],
    ],
    [
      'a changed seed that no course adopted',
      `update order_types set name = 'Retainers' where key = 'retainer'`,
      [
        'order_types: column name differs in 1 rows',
        expect.stringMatching(/\.name: expected "Retainer", found "Retainers"$/),
      ],
    ],
    [
      'a text with one blank more',
      `update messages set body = body || ' '
       where legacy_record_id = (select min(legacy_record_id) from messages)`,
      ['messages: column body differs in 1 rows', expect.stringContaining('.body: expected ')],
    ],
    [
      'an amount of the same value with another scale',
      `update offices set tax_rate = tax_rate + 0.00000
       where legacy_office_id = (select min(legacy_office_id) from offices)`,
      [
        'offices: column tax_rate differs in 1 rows',
        expect.stringMatching(/\.tax_rate: expected "(?<n>[0-9.]+)", found "\k<n>0"$/),
      ],
    ],
    [
      'null instead of an amount of zero',
      `update payments set total_amount = null where legacy_payment_id =
         (select min(legacy_payment_id) from payments where total_amount = 0)`,
      [
        'payments: column total_amount differs in 1 rows',
        expect.stringMatching(/\.total_amount: expected "0(\.0+)?", found null$/),
      ],
    ],
    [
      'a time that is a microsecond off',
      `update projects set source_created_at = source_created_at + interval '1 microsecond'
       where legacy_project_id = (select min(legacy_project_id) from projects)`,
      [
        'projects: column source_created_at differs in 1 rows',
        expect.stringContaining('.source_created_at: expected '),
      ],
    ],
    [
      'a reference to another row',
      `update orders set office_id = (select id from offices o where o.id <> orders.office_id limit 1)
       where legacy_instruction_id =
         (select min(legacy_instruction_id) from orders where office_id is not null)`,
      [
        'orders: column office_id differs in 1 rows',
        expect.stringContaining('.office_id: expected '),
      ],
    ],
    [
      'JSON with another value',
      `update patients set schemes = '{"a": 1.0}' where legacy_patient_id =
         (select min(legacy_patient_id) from patients where schemes = '{}')`,
      [
        'patients: column schemes differs in 1 rows',
        expect.stringMatching(/\.schemes: expected "\{\}", found "\{\\"a\\": 1\.0\}"$/),
      ],
    ],
    [
      'broken JSON that was dropped instead of kept as a string',
      `update orders set exports = null where legacy_instruction_id =
         (select min(legacy_instruction_id) from orders where jsonb_typeof(exports) = 'string')`,
      [
        'orders: column exports differs in 1 rows',
        expect.stringMatching(/\.exports: expected "\\".*", found null$/),
      ],
    ],
    [
      'a raw value that was kept without need',
      `update tasks set legacy_data = '{"jaw": "9"}'
       where legacy_task_id = (select min(legacy_task_id) from tasks)`,
      [
        'tasks: column legacy_data differs in 1 rows',
        expect.stringMatching(/\.legacy_data: expected "\{\}", found "\{\\"jaw\\": \\"9\\"\}"$/),
      ],
    ],
    [
      'every fault of several tables at once',
      `update doctors set has_patients = not has_patients;
       delete from instruction_states;
       update cases set current_state = 'delivered' where kind = 'project'`,
      [
        expect.stringMatching(/^doctors: column has_patients differs in \d+ rows$/),
        ...Array<unknown>(3).fill(expect.stringMatching(/^doctors: {3}\d+\.has_patients: /)),
        expect.stringMatching(/^instruction_states: missing: \d+ \(\d+, \d+, \d+, …\)$/),
        expect.stringMatching(/^cases: column current_state differs in \d+ rows$/),
        ...Array<unknown>(3).fill(expect.stringMatching(/^cases: {3}\d+\.current_state: /)),
      ],
    ],
    [
      'what can be wrong with a row of the journal',
      `update order_state_history set changed_by_id = (select id from profiles limit 1),
         from_state_id = null, duration_in_previous = null, deleted_at = now(),
         source_change_lsn = '0/999'
       where origin = 'observed_change' and source_commit_lsn = '0/200'`,
      ['chain', 'changed_by', 'deleted_at', 'duration', 'from_state', 'id'].map((rule): unknown =>
        expect.stringMatching(`^observed changes: rule "${rule}" broken: 1 `),
      ),
    ],
    [
      'a journal that ends in another status than the order has',
      `delete from order_state_history where source_commit_lsn = '0/300'`,
      [expect.stringMatching('^observed changes: rule "present" broken: 1 ')],
    ],
  ])('finds %s', async (_, plant, found) => {
    await pair.target.query(plant);
    try {
      expect(await differences()).toEqual(found);
    } finally {
      await restore();
    }
  });

  test('leaves alone what replication never writes and rows that are rightly gone', async () => {
    await pair.target.query(`
      update profiles set phone = '1', created_at = 'epoch', updated_at = 'epoch';
      insert into content_type_map (id, legacy_content_type_id, app_label, model, deleted_at)
      values (gen_random_uuid(), 9999, 'x', 'y', now());
      -- A course that is gone took its seed along.
      update order_types set legacy_course_id = 99, deleted_at = now() where key = 'retainer'`);
    try {
      expect(await differences()).toEqual([]);
    } finally {
      await restore();
    }
  });

  test('says so when a column is described nowhere', async () => {
    await pair.target.query('alter table jaws add column surface text');
    try {
      expect(await differences()).toEqual(['jaws: column surface is not checked']);
    } finally {
      await pair.target.query('alter table jaws drop column surface');
    }
  });

  test('does not look at what is excepted, and throws for the rest', async () => {
    await pair.target.query(
      `update offices set name = 'x', city = 'y'
       where legacy_office_id = (select min(legacy_office_id) from offices)`,
    );
    try {
      const except = ['offices.name'];
      await expect(assertAgrees({ ...options, except })).rejects.toThrow(
        /^the target is not map\(source\)\noffices: column city differs in 1 rows\noffices: {3}/,
      );
      await assertAgrees({ ...options, except: ['offices.name', 'offices.city'] });
    } finally {
      await restore();
    }
  });

  test('finds a change of the source that has not arrived, wherever it matters', async () => {
    const [patient] = await pair.source.query(
      `select p.id, p.suffix, count(*) from dispatch_patient p
       join dispatch_instruction i on i.patient_id = p.id
       where i.suffix = '' or i.suffix is null group by p.id limit 1`,
    );
    await pair.source.query(`update dispatch_patient set suffix = 'new' where id = $1`, [
      patient?.['id'],
    ]);
    try {
      const columns = (await differences()).filter((line) => line.includes('differs in'));
      expect(columns).toEqual([
        'patients: column suffix differs in 1 rows',
        `orders: column order_number differs in ${String(patient?.['count'])} rows`,
        'cases: column case_number differs in 1 rows',
      ]);
    } finally {
      await pair.source.query('update dispatch_patient set suffix = $2 where id = $1', [
        patient?.['id'],
        patient?.['suffix'],
      ]);
    }
  });
});

/** An order that went from submitted to shipped in three steps. */
async function plantJournal(): Promise<void> {
  const client = await pair.target.client();
  await client.query(RULE_FUNCTIONS);
  await client.query(`
    insert into order_state_history (id, order_id, from_state_id, to_state_id, from_status,
      to_status, changed_at, duration_in_previous, origin, source_commit_lsn, source_change_lsn)
    select pg_temp.text_ref('order_status_change',
        format('%s:%s:0/10', o.legacy_instruction_id, step.lsn))::uuid,
      o.id, pg_temp.instruction_status_state(step.code)::uuid,
      pg_temp.instruction_status_state(step.code + 1)::uuid,
      pg_temp.order_status(step.code)::order_status,
      pg_temp.order_status(step.code + 1)::order_status,
      timestamptz '2025-01-01' + step.code * interval '1 day',
      case when step.code > 1 then interval '1 day' end,
      'observed_change', step.lsn::pg_lsn, '0/10'
    from (select id, legacy_instruction_id from orders where status = 'shipped' limit 1) o,
      (values (1, '0/100'), (2, '0/200'), (3, '0/300')) as step (code, lsn)`);
}

async function restore(): Promise<void> {
  const steps = TABLES.map(
    (table) => `delete from public.${table}; insert into public.${table} table backup.${table}`,
  );
  await pair.target.query(`begin; ${steps.join('; ')}; commit`);
}
