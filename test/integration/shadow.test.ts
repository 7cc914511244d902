import { expect, test } from 'vitest';
import { freshPair, type TestPair } from '../harness/database.ts';
import { everythingBut } from '../harness/everything.ts';
import { Workplace, type Ran } from './cli-run.ts';
import { editedMapping } from './control-workplace.ts';
import { load, recordsWorkplace } from './records-workplace.ts';

type Shadowed = {
  readonly entities: readonly { readonly entity: string; readonly tables: readonly object[] }[];
  readonly tables: readonly { readonly table: string; readonly rows: number }[];
};

/** The mapping with some text replaced, and the command line with it. */
class Edited extends Workplace {
  constructor(place: Workplace, ...edits: Parameters<typeof editedMapping>[1][]) {
    super(editedMapping(place, ...edits));
  }

  async into(schema: string, ...options: string[]): Promise<Ran> {
    return await this.run('reprocess', '--into-shadow', schema, ...options);
  }

  async json(schema: string, ...options: string[]): Promise<Shadowed> {
    const { code, out, err } = await this.into(schema, '--json', ...options);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return JSON.parse(out) as Shadowed;
  }
}

/** Columns that the target fills by itself, a number among them; patients are marked when they go. */
const OWN = `no int generated always as identity, code text not null default upper('own'),
  made_at timestamptz not null default now(), letters int generated always as (length(name)) stored`;

async function workplace(pair: TestPair): Promise<Workplace> {
  const work = await recordsWorkplace(pair);
  const tables = 'migrations/20260101000000_tables.sql';
  const sql = work.read(tables);
  work.write(
    tables,
    sql
      .replace('length(name) < 12)', `length(name) < 12) unique,\n  ${OWN}`)
      .replace('name text, height int', 'name text, height int, deleted_at timestamptz'),
  );
  await pair.source.query(`insert into office values (7, 'south', null);
    insert into patient values (7, 3, 'eve', 150); insert into visit values (7, 7, 'a')`);
  await load(work);
  await pair.target.query(`update offices set code = 'ours' where name = 'south'`);
  return work;
}

/** A column of some rows comes out otherwise, an office is let in, a patient and a visit are left out. */
const EDITS = [
  ['name: root.name, height', 'name: root.id < 3 ? root.name + "!" : root.name, height'],
  [
    `map: (root) => row({ id: ref('patient'`,
    `map: (root) => root.id === 3 ? excluded('third') : row({ id: ref('patient'`,
  ],
  [
    `map: (root) => row({ id: ref('visit'`,
    `map: (root) => root.id === 7 ? excluded('seven') : row({ id: ref('visit'`,
  ],
  [`if (root.name === 'closed') return excluded('closed_office');`, ''],
] as const;

test('a shadow shows what another mapping would make otherwise, and nothing else is touched', async () => {
  await using pair = await freshPair();
  using work = await workplace(pair);
  const { target } = pair;
  using edited = new Edited(work, ...EDITS);
  const before = await everythingBut(target, 'preview');
  const { out, err } = await edited.into('preview', '--all');
  expect(await everythingBut(target, 'preview')).toBe(before);
  expect(err).toBe('');
  const ordered = out.replace(/(patients: .*); for example [\d, ]+/, '$1');
  expect(ordered).toBe(`link: 2 roots: nothing would change
office: 7 roots
  offices: 1 inserted; for example 3
  excluded (closed_office): 1 taken off; for example 3
patient: 4 roots
  patients: 3 changed, 1 removed
    name: differs in 2
    office_id: differs in 1
  unresolved (office_id): 1 taken off; for example 7
  excluded (third): 1 added; for example 3
  issue (height): 1 taken off; for example 3
visit: 4 roots
  visits: 1 removed; for example 7
  excluded (seven): 1 added; for example 7

table     in shadow  inserted  changed  removed
links             1         0        0        0
offices           3         1        0        0
patients          4         0        3        1
visits            1         0        0        1

what differs: select * from "preview"."tandem_changes"
side by side: select c.change, c.root_key, c.columns, to_jsonb(s) as shadow, to_jsonb(l) as live from "preview"."tandem_changes" c left join "preview"."offices" s using (id) left join "public"."offices" l using (id) where c.target_table = 'offices'
gone with:    drop schema "preview" cascade
`);

  // What the target fills by itself is the live row's, and empty in a new one.
  const offices = (table: string) =>
    target.query(`select name, code, letters, no is null as "hasNo" from ${table} order by name`);
  expect(await offices('preview.offices')).toEqual([
    { name: 'closed', code: null, letters: 6, hasNo: true },
    ...(await offices('public.offices')),
  ]);
  const patients = await target.query(
    `select name, office_id = tandem.uuid_of('office', 3) as "isClosed", deleted_at is not null as gone
     from preview.patients order by name`,
  );
  expect(patients).toEqual([
    { name: 'ada!', isClosed: false, gone: false },
    { name: 'bob!', isClosed: null, gone: false },
    { name: 'cyd', isClosed: null, gone: true },
    { name: 'eve', isClosed: true, gone: false },
  ]);
  const changes = await target.query(
    `select target_table, root_key, change, columns from preview.tandem_changes order by 1, 2`,
  );
  expect(changes).toEqual([
    { target_table: 'offices', root_key: '3', change: 'inserted', columns: [] },
    { target_table: 'patients', root_key: '1', change: 'changed', columns: ['name'] },
    { target_table: 'patients', root_key: '2', change: 'changed', columns: ['name'] },
    { target_table: 'patients', root_key: '3', change: 'removed', columns: [] },
    { target_table: 'patients', root_key: '7', change: 'changed', columns: ['office_id'] },
    { target_table: 'visits', root_key: '7', change: 'removed', columns: [] },
  ]);

  // And that is what then happens.
  for (const [entity, table] of Object.entries({
    office: 'offices',
    patient: 'patients',
    visit: 'visits',
  })) {
    expect((await edited.run('reprocess', '--entity', entity)).code).toBe(0);
    const rows = (schema: string) =>
      target.query(`select to_jsonb(t) - array['no', 'code', 'made_at', 'deleted_at'] as row
        from ${schema}.${table} as t order by id`);
    expect(await rows('preview')).toEqual(await rows('public'));
  }
  const again = await edited.into('preview', '--all');
  expect(again.out).toContain('visit: 4 roots: nothing would change');
  expect(again.out).toContain('no row differs from the live tables');
});

test('roots that wait for a row which would come are looked at too, and so on', async () => {
  await using pair = await freshPair();
  using work = await workplace(pair);
  // A patient that is there becomes one of an office that is not.
  await pair.source.query(`insert into patient values (9, 3, 'gil', 1)`);
  using edited = new Edited(work, [
    `if (root.name === 'closed') return excluded('closed_office');`,
    '',
  ]);
  const { entities, tables } = await edited.json('preview', '--entity', 'office', '--ids', '3');
  expect(entities).toMatchObject([
    { entity: 'office', roots: 1, tables: [{ table: 'offices', inserted: 1 }] },
    {
      entity: 'patient',
      roots: 1,
      tables: [{ changed: 1, columns: { office_id: 1 }, examples: ['7'] }],
    },
  ]);
  expect(tables.map(({ table, rows }) => [table, rows])).toEqual([
    ['offices', 1],
    ['patients', 1],
  ]);
});

test("what the target's rules refuse is counted as refused, and is not in the shadow", async () => {
  await using pair = await freshPair();
  using work = await workplace(pair);
  // Too long; and a name that two have.
  using edited = new Edited(
    work,
    [
      'name: root.name });',
      `name: root.id === 7 ? 'longer than that' : root.id === 3 ? 'north' : root.name });`,
    ],
    [`if (root.name === 'closed') return excluded('closed_office');`, ''],
  );
  const { entities, tables } = await edited.json('preview', '--entity', 'office');
  expect(entities).toMatchObject([
    {
      entity: 'office',
      tables: [],
      outcomes: [
        { list: 'excluded', becomes: 'taken off', of: 'closed_office', count: 1 },
        { list: 'quarantine', becomes: 'added', of: 'TARGET_REFUSED_ROW', count: 2 },
      ],
    },
  ]);
  expect(tables.map(({ rows }) => rows)).toEqual([1]);
});

test('a later run takes the place of a shadow; another schema is left as it is', async () => {
  await using pair = await freshPair();
  using work = await workplace(pair);
  const { target } = pair;
  const count = async (table: string) => (await target.query(`select from ${table}`)).length;
  const shadow = (...options: string[]) => work.run('reprocess', '--into-shadow', ...options);
  expect((await shadow('preview', '--entity', 'office')).code).toBe(0);
  expect(await count('preview.offices')).toBe(2);
  await target.query('create view preview.mine as select * from preview.offices');
  expect((await shadow('preview', '--entity', 'office', '--ids', '7')).code).toBe(0);
  expect(await count('preview.offices')).toBe(1);

  await target.query('create schema theirs; create table theirs.offices (id int)');
  const refused = await shadow('theirs', '--all');
  expect(refused).toMatchObject({ code: 1, out: '' });
  expect(refused.err).toContain(
    'SHADOW_REFUSED schema=theirs reason=it is there, and is no shadow of this stream',
  );
  expect(await count('theirs.offices')).toBe(0);
  expect((await shadow('public', '--all')).err).toContain('SHADOW_REFUSED schema=public');

  for (const [problem, ...options] of [
    ['give one', 'preview', '--all', '--dry-run'],
    ['--wait waits for jobs', 'preview', '--all', '--wait'],
    ['not a name that a schema may have', 'pg_mine', '--all'],
    ['name entities with --entity', 'preview'],
  ] as const) {
    const wrong = await shadow(...options);
    expect(wrong.err).toContain(problem);
    expect(wrong.code).toBe(2);
  }

  const gone = await work.run('teardown', '--yes');
  expect(gone.out).toContain('dropped schema preview of the target, a shadow');
  const left = await target.query(
    `select nspname from pg_namespace where nspname in ('preview', 'theirs')`,
  );
  expect(left).toEqual([{ nspname: 'theirs' }]);
});

test('a mapping that reads what the mirror does not have is told so, and makes nothing', async () => {
  await using pair = await freshPair();
  using work = await workplace(pair);
  using edited = new Edited(
    work,
    [`token: text.neverRead`, `token: text.orNull`],
    [`office.select('name')`, `office.select('name', 'token')`],
  );
  const { code, err } = await edited.into('preview', '--all');
  expect(err).toContain('error: the mirror does not have what office reads: office');
  expect(code).toBe(1);
  expect(await pair.target.query(`select from pg_namespace where nspname = 'preview'`)).toEqual([]);
});

test('parents may come in a later page of the same run', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  const tables = 'migrations/20260101000000_tables.sql';
  const withBoss = work
    .read(tables)
    .replace('name text, height int', '$&, boss_id uuid references patients');
  work.write(tables, withBoss);
  // Whose boss is whom: the first page has those of the second one for bosses, and the reverse.
  await pair.source.query(
    `insert into patient select id, null, 'p', 6021 - id from generate_series(20, 6001) as id`,
  );
  await load(work);
  using edited = new Edited(
    work,
    [
      'height: root.height }',
      'height: root.height, boss_id: ref("patient", (root.height ?? 0) > 2 ? root.height : null) }',
    ],
    ['> 250', '> 99999'],
  );
  await pair.target.query(
    'delete from visits; delete from patients where height between 20 and 6001',
  );
  const { entities } = await edited.json('preview', '--entity', 'patient', '--where', 'id > 19');
  expect(entities).toMatchObject([
    {
      roots: 5982,
      tables: [{ inserted: 5982 }],
      outcomes: [{ list: 'issue', becomes: 'taken off' }],
    },
  ]);
  expect(await pair.target.query('select from preview.patients where boss_id is null')).toEqual([]);
});
