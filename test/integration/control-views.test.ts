import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { load, recordsWorkplace } from './records-workplace.ts';

const VIEWS = join(import.meta.dirname, '..', '..', 'supabase', 'control-views.sql');

test('setup makes the views that the new system knows, and they show what the engine remembers', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair, {}, VIEWS);
  const { target } = pair;
  expect((await work.run('setup', '--dry-run')).out).toContain('view public.replication_errors');
  expect((await work.run('setup')).out).toMatch(
    /^control views +made +4 views in control-views.sql$/m,
  );
  expect((await work.run('setup')).out).toMatch(/^control views +there/m);
  await load(work);

  expect(
    await target.query('select id, kind, status, dry_run from public.replication_runs'),
  ).toEqual([{ id: '1', kind: 'backfill', status: 'completed', dry_run: false }]);
  const checkpoints = await target.query(
    'select stream, source_table, position is null as done, last_key from public.replication_checkpoints',
  );
  expect(checkpoints).toContainEqual({
    stream: 'tandem',
    source_table: '',
    done: false,
    last_key: null,
  });
  expect(
    await target.query(`select entity, target_table, target_id = tandem.uuid_of(entity, 2) as own,
      target_column, parent_entity, parent_legacy_id, is_held from public.replication_pending_refs
      where target_id in (tandem.uuid_of('visit', 2), tandem.uuid_of('patient', 2)) order by 1`),
  ).toEqual([
    {
      ...{ entity: 'patient', target_table: 'patients', own: true, target_column: 'office_id' },
      ...{ parent_entity: 'office', parent_legacy_id: '2', is_held: false },
    },
    {
      ...{ entity: 'visit', target_table: 'visits', own: true, target_column: 'patient_id' },
      ...{ parent_entity: 'patient', parent_legacy_id: '9', is_held: true },
    },
  ]);
  expect(
    await target.query(
      'select entity, source_table, legacy_id, error_class, attempts from public.replication_errors order by 1, 3 limit 2',
    ),
  ).toEqual([
    {
      entity: 'link',
      source_table: 'link',
      legacy_id: null,
      error_class: 'MAPPING_REJECTED_ROW',
      attempts: 1,
    },
    {
      entity: 'office',
      source_table: 'office',
      legacy_id: '2',
      error_class: 'MAPPING_REJECTED_ROW',
      attempts: 1,
    },
  ]);
});

test('a role that may read public may not read the engine through the views', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair, {}, VIEWS);
  await load(work);
  const client = await pair.target.client();
  const role = `${pair.target.name}_reader`;
  await client.query(`create role ${role}; grant select on all tables in schema public to ${role};
    grant usage on schema public to ${role}; set role ${role}`);
  try {
    await expect(client.query('select entity from public.replication_errors')).rejects.toThrow(
      'permission denied for',
    );
  } finally {
    await client.query(`reset role; drop owned by ${role}; drop role ${role}`);
  }
});

test('a file that is not there is an error of the mapping', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair, {}, './nowhere.sql');
  const { code, err } = await work.run('setup');
  expect(code).toBe(1);
  expect(err).toMatch(/^error: MAPPING_INVALID .*controlViews: there is no file .*nowhere\.sql/);
});
