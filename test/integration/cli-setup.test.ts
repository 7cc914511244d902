import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { splitStatements } from '../../connectors/supabase/split-statements.ts';
import { freshPair } from '../harness/database.ts';
import { waitFor } from '../harness/wait-for.ts';
import { smallMapping, smallWorkplace, TARGET_SQL } from './cli-small-mapping.ts';

const MIGRATIONS =
  'select version, name, statements from supabase_migrations.schema_migrations order by 1';
const OBJECTS = `
  select n.nspname || '.' || c.relname as it from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('tandem', 'legacy', 'public', 'supabase_migrations') order by 1`;

test('a dry run prints the SQL and changes nothing; what it prints is what setup runs', async () => {
  await using pair = await freshPair();
  await using other = await freshPair();
  using work = await smallWorkplace(pair);
  const { code, out } = await work.run('setup', '--dry-run');
  expect(code).toBe(0);
  expect(await pair.target.query(OBJECTS)).toEqual([]);
  expect(await pair.source.query('select 1 from pg_publication')).toEqual([]);
  const [target = '', source = ''] = out.split('-- on the source');
  expect(source).toContain('create publication "tandem" for table');
  expect(source).toContain(`pg_create_logical_replication_slot('${pair.source.name}', 'pgoutput'`);
  await other.target.query(target);

  expect((await work.run('setup')).code).toBe(0);
  expect(await other.target.query(OBJECTS)).toEqual(await pair.target.query(OBJECTS));
  expect(await other.target.query(MIGRATIONS)).toEqual(await pair.target.query(MIGRATIONS));
});

test('setup makes everything once; the second time all is there and nothing changes', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const first = await work.run('setup');
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(first.out.match(/ made /g)).toHaveLength(5);
  const position = 'select * from tandem.position';
  const before = await pair.target.query(position);
  expect(before).toHaveLength(1);

  const second = await work.run('setup');
  expect(second).toMatchObject({ code: 0, err: '' });
  expect(second.out).not.toContain(' made ');
  expect(await pair.target.query(position)).toEqual(before);
});

test('a target that is set up and not loaded has not caught up, wherever its position stands', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  // As on a source that has written nothing since.
  await pair.target.query(`update tandem.position set position = 'FFFFFFF/0'`);
  expect((await work.run('status', '--caught-up', '--timeout', '1s')).code).toBe(3);
});

test('migrations are recorded as the Supabase CLI records them', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  expect(await pair.target.query(MIGRATIONS)).toEqual([
    {
      version: '20260101000000',
      name: 'tables',
      statements: [
        'create table public.offices (\n  id uuid primary key,\n  name text not null\n)',
        'create table public.patients (id uuid primary key, office_id uuid references public.offices, name text)',
        '-- the end',
      ],
    },
  ]);
  const columns = `select column_name, data_type, is_nullable from information_schema.columns
    where table_schema = 'supabase_migrations' order by ordinal_position`;
  expect(await pair.target.query(columns)).toEqual([
    { column_name: 'version', data_type: 'text', is_nullable: 'NO' },
    { column_name: 'statements', data_type: 'ARRAY', is_nullable: 'YES' },
    { column_name: 'name', data_type: 'text', is_nullable: 'YES' },
  ]);
});

test('what the Supabase CLI has applied is not applied again', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await pair.target.query(TARGET_SQL);
  await pair.target.query(`create schema supabase_migrations;
    create table supabase_migrations.schema_migrations (version text not null primary key);
    insert into supabase_migrations.schema_migrations values ('20260101000000')`);
  const { code, out } = await work.run('setup');
  expect(code).toBe(0);
  expect(out).toMatch(/migrations +there +all applied/);
});

test('a migration that fails leaves nothing behind, and says which statement it was', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const file = '20260102000000_more.sql';
  work.write(
    `migrations/${file}`,
    'create table public.a (id int); insert into public.b values (1);',
  );
  const { code, err } = await work.run('setup');
  expect(code).toBe(1);
  expect(err).toMatch(
    /^error: TARGET_FAILED .*sqlstate=42P01 .*file=20260102000000_more\.sql statement=2 reason=relation "public\.b" does not exist\nnext: {2}.+\n$/,
  );
  expect(await pair.target.query(`select to_regclass('public.a') as a`)).toEqual([{ a: null }]);
  expect(await pair.target.query(MIGRATIONS)).toHaveLength(1);
});

test('a target that records what the folder lacks, or the other way round out of order, is refused', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  work.write('migrations/20250101000000_late.sql', 'select 1');
  const late = await work.run('setup');
  expect(late).toMatchObject({ code: 1 });
  expect(late.err).toMatch(/MIGRATION_DIVERGED problem=older .*20250101000000_late/);
  expect((await work.check()).of('target: migrations')).toMatchObject({ status: 'failure' });

  await pair.target.query(`insert into supabase_migrations.schema_migrations (version, name)
    values ('20250101000000', 'late'), ('20250202000000', 'theirs')`);
  const foreign = await work.run('setup');
  expect(foreign.err).toMatch(
    /MIGRATION_DIVERGED problem=the target records .*20250202000000_theirs/,
  );
  expect(foreign.err).toMatch(/^next: {2}.*supabase migration list/m);
});

test('a new slot replaces the old one, and everything is to be loaded again', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  await pair.target
    .query(`insert into tandem.chunk (stage, subject, number) values ('load', 'office', 1);
    update tandem.mirror set loaded_at = now()`);
  const point = async () =>
    (await pair.target.query('select consistent_point::text from tandem.position'))[0];
  const before = await point();
  await pair.source.query('insert into office values (1)'.replace('(1)', `(1, 'x')`));
  const { code, out } = await work.run('setup', '--new-slot');
  expect(code).toBe(0);
  expect(out).toMatch(/slot +made .*\nnext: tandem backfill/);
  expect(await point()).not.toEqual(before);
  expect(await pair.target.query('select 1 from tandem.chunk')).toEqual([]);
  expect(
    await pair.target.query('select 1 from tandem.mirror where loaded_at is not null'),
  ).toEqual([]);
});

test('a slot that is gone is a gap: setup refuses, and names the way out', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  await pair.source.query(`select pg_drop_replication_slot('${pair.source.name}')`);
  const { code, err } = await work.run('setup');
  expect(code).toBe(1);
  expect(err).toMatch(/^error: SLOT_MISSING slot=\S+\nnext: .*tandem setup --new-slot/);
  expect((await work.check()).of('target: position')).toMatchObject({
    status: 'failure',
    found: expect.stringContaining('SLOT_MISSING') as unknown,
  });
});

test('a column that the mapping reads from now on is added to the mirror', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  // Another file: a module that was loaded once stays as it was for this process.
  work.write(
    'wider.ts',
    smallMapping([[`select('office_id', 'name')`, `select('office_id', 'name', 'height')`]]),
  );
  const { code, out } = await work.run('setup', '--mapping', 'wider.ts');
  expect(code).toBe(0);
  expect(out).toMatch(/mirror +made/);
  const height = `select data_type from information_schema.columns
    where table_schema = 'legacy' and column_name = 'height'`;
  expect(await pair.target.query(height)).toEqual([{ data_type: 'smallint' }]);
});

test('while transactions of the source hold the slot up, setup says which', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const writer = await pair.source.client();
  await writer.query(`begin; insert into office values (9, 'x')`);
  const { rows } = await writer.query<{ pid: number }>('select pg_backend_pid() as pid');
  const setup = work.run('setup');
  await waitFor(
    async () => {
      const waiting = `select 1 from pg_stat_activity where wait_event_type = 'Lock'
        and query like '%pg_create_logical_replication_slot%' and query_start < now() - interval '4 s'`;
      return (await pair.source.query(waiting)).length > 0;
    },
    { what: 'setup to wait for the slot', timeoutMs: 20_000 },
  );
  await writer.query('commit');
  const { code, err } = await setup;
  expect(code).toBe(0);
  expect(err).toMatch(new RegExp(`waiting for the end of transactions .*${rows[0]?.pid}`));
});

test('teardown asks, or is told; it drops slot and publication, and the target keeps its data', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  const before = await pair.target.query(OBJECTS);
  const asked = await work.run('teardown');
  expect(asked).toMatchObject({ code: 2, out: '' });
  expect(asked.err).toContain('next:  add --yes');
  expect(await pair.source.query('select pubname from pg_publication')).toHaveLength(1);

  const told = await work.run('teardown', '--yes');
  expect(told).toMatchObject({ code: 0, err: '' });
  expect(told.out).toContain(`dropped slot ${pair.source.name}\ndropped publication tandem\n`);
  expect(await pair.source.query('select 1 from pg_publication')).toEqual([]);
  expect(
    await pair.source.query('select 1 from pg_replication_slots where slot_name = $1', [
      pair.source.name,
    ]),
  ).toEqual([]);
  expect(await pair.target.query(OBJECTS)).toEqual(before);
  expect((await work.run('teardown', '--yes')).out).toContain('nothing to do');
});

test('source and target in one database are refused', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair, { TARGET_URL: pair.source.connectionString });
  const { code, err } = await work.run('setup');
  expect(code).toBe(1);
  expect(err).toMatch(/^error: SAME_DATABASE .*\nnext: .*another target/);
  expect(await pair.source.query(`select to_regnamespace('tandem') as it`)).toEqual([{ it: null }]);
});

test('our own migrations split into the statements that a person would count', () => {
  const folder = new URL('../../supabase/migrations/', import.meta.url);
  expect(readdirSync(folder).length).toBeGreaterThan(0);
  expect(
    splitStatements(
      `a;b; -- ;\n'c;''d';"e;f";$$ ; $$;$x$ $$ ; $x$;/* ; /* ; */ ; */ g; (h; i); \\; j ;;`,
    ),
  ).toEqual([
    ...['a', 'b', `-- ;\n'c;''d'`, '"e;f"', '$$ ; $$', '$x$ $$ ; $x$', '/* ; /* ; */ ; */ g'],
    ...['(h; i)', '\\; j'],
  ]);
});
