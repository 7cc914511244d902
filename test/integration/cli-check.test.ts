import { expect, test } from 'vitest';
import { startPostgres } from '../../demo/servers/postgres.ts';
import { freshPair, type TestDatabase, type TestPair } from '../harness/database.ts';
import { waitFor } from '../harness/wait-for.ts';
import type { Workplace } from './cli-run.ts';
import { LEGACY_SQL, smallMapping, smallWorkplace, urlWith } from './cli-small-mapping.ts';

/** The SQL in what `check` advises: it has to be right as it stands. */
const statementsIn = (mend: string | null) => mend?.match(/\b(alter|grant)\b[^;]*;/g) ?? [];

async function follow(db: TestDatabase, mend: string | null): Promise<void> {
  const statements = statementsIn(mend);
  expect(statements).not.toEqual([]);
  for (const statement of statements) await db.query(statement);
}

test('after the setup nothing fails, and the exit code says so', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const before = await work.check();
  expect(before.code).toBe(0);
  expect(before.of('target: tables')).toMatchObject({ status: 'warning', mend: 'tandem setup' });
  expect(before.of('target: migrations').status).toBe('warning');
  expect((await work.run('setup')).code).toBe(0);
  const { code, out } = await work.run('check');
  expect(code).toBe(0);
  expect(out).toMatch(/^Source .*\n( {2}ok .*\n)/);
  expect(out).toMatch(/\d+ ok, \d warnings?, 0 failures\n$/);
});

/** What is done to the source, which check fails, and what it finds. The advice mends it. */
test.each([
  ['kinds of tables', 'alter table patient set unlogged', 'patient is unlogged'],
  ['primary keys', 'alter table patient drop constraint patient_pkey', 'patient has none'],
  ['replica identity', 'alter table patient replica identity nothing', 'patient'],
  [
    'replica identity',
    `update patient set name = ''; alter table patient alter name set not null;
     create unique index by_name on patient (name); alter table patient replica identity using index by_name`,
    'patient',
  ],
])('source: %s fails after %s, and the advice mends it', async (name, sql, found) => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await pair.source.query(sql);
  const broken = await work.check();
  expect(broken.code).toBe(1);
  const result = broken.of(`source: ${name}`);
  expect(result).toMatchObject({
    status: 'failure',
    found: expect.stringContaining(found) as unknown,
  });
  await follow(pair.source, result.mend);
  expect((await work.check()).of(`source: ${name}`).status).toBe('ok');
});

test.each([
  ['tables', 'failure', 'drop table patient', 'missing: patient'],
  [
    'kinds of tables',
    'failure',
    'drop table patient; create view patient as select 1 as id, 1 as office_id, null::text as name',
    'patient is a view',
  ],
  ['columns', 'failure', 'alter table office drop column name', 'missing: office.name'],
  [
    'columns',
    'failure',
    `alter table office drop column name; alter table office add column name text generated always as ('x') stored`,
    'generated',
  ],
  [
    'types',
    'failure',
    'alter table patient alter office_id type bigint',
    'patient.office_id is bigint, declared int4',
  ],
  ['nulls', 'warning', 'alter table office alter name drop not null', 'office.name'],
  [
    'primary keys',
    'failure',
    'alter table patient drop constraint patient_pkey; alter table patient add primary key (id, name)',
    '(id, name), declared (id)',
  ],
])('source: %s is a %s after %s', async (name, status, sql, found) => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await pair.source.query(sql);
  const { code, of } = await work.check();
  expect(code).toBe(status === 'failure' ? 1 : 0);
  expect(of(`source: ${name}`)).toMatchObject({
    status,
    found: expect.stringContaining(found) as unknown,
  });
});

/** A role that may do nothing yet, and the connection string for it. Dropped with its grants. */
async function plainRole(db: TestDatabase, sql = '') {
  const role = `${db.name}_r`;
  await db.query(
    `create role ${role} login password 'its secret'; ${sql.replaceAll('ROLE', role)}`,
  );
  return {
    role,
    url: urlWith(db.connectionString, (url) => {
      url.username = role;
      url.password = 'its secret';
    }),
    async [Symbol.asyncDispose]() {
      await db.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`,
      );
      await db.query(
        `reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`,
      );
    },
  };
}

test('a role of the source without privileges is told each one, and the advice gives them', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const { source } = pair;
  await source.query(
    `alter table office enable row level security;
    revoke execute on function pg_logical_emit_message(boolean, text, text, boolean) from public;
    revoke usage on schema public from public`.replace(
      ', boolean)',
      (await version(source)) >= 17 ? ', boolean)' : ')',
    ),
  );
  await using plain = await plainRole(source);
  const names = [
    'replication privilege',
    'select privilege',
    'row level security',
    'publication',
    'heartbeats',
  ];
  const broken = await work.check('--source', plain.url);
  expect(broken.code).toBe(1);
  for (const name of names) {
    const result = broken.of(`source: ${name}`);
    expect(result, name).toMatchObject({ status: 'failure' });
    // The way of the publication that needs its owner: make it once, as the owner.
    const only =
      name === 'publication' ? /create publication [^;]*;/.exec(result.mend ?? '')?.[0] : undefined;
    if (only !== undefined) await source.query(only);
    else await follow(source, (result.mend ?? '').replace(/\(Amazon.*/, ''));
  }
  const mended = await work.check('--source', plain.url);
  for (const name of names) expect(mended.of(`source: ${name}`).status, name).toBe('ok');
  expect((await work.run('setup', '--source', plain.url)).code).toBe(0);
});

test('a role that owns the tables and may not create in the database is told so', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await using plain = await plainRole(
    pair.source,
    'alter table office owner to ROLE; alter table patient owner to ROLE;',
  );
  const result = (await work.check('--source', plain.url)).of('source: publication');
  expect(result.status).toBe('failure');
  expect(statementsIn(result.mend)).toEqual([expect.stringContaining('grant create on database')]);
  await follow(pair.source, result.mend);
  expect((await work.check('--source', plain.url)).of('source: publication').status).toBe('ok');
});

test('a setup without a privilege stops with one message and leads to check', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await using plain = await plainRole(pair.source);
  const { code, err } = await work.run('setup', '--source', plain.url);
  expect(code).toBe(1);
  expect(err).toMatch(/^error: PRIVILEGE_MISSING side=source .*\nnext: {2}Run `tandem check`.*\n$/);
  expect(err).not.toContain('secret');
});

test('a role of the target without privileges is told each one', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  const { target } = pair;
  await target.query('alter table patients enable row level security');
  await using plain = await plainRole(target);
  const broken = await work.check('--target', plain.url);
  expect(broken.code).toBe(1);
  expect(broken.of('target: create privilege')).toMatchObject({ status: 'failure' });
  expect(broken.of('target: write privilege')).toMatchObject({ status: 'failure' });
  expect(broken.of('target: row level security')).toMatchObject({ status: 'failure' });
  for (const name of ['migrations', 'position']) {
    expect(broken.of(`target: ${name}`)).toMatchObject({ found: 'the role may not read it' });
  }
  await follow(target, broken.of('target: create privilege').mend);
  const mended = await work.check('--target', plain.url);
  expect(mended.of('target: create privilege').status).toBe('ok');
  expect(mended.of('target: write privilege').status).toBe('ok');
  expect(mended.code).toBe(0);
});

test.each([
  [
    'writable',
    'failure',
    'alter database DB set default_transaction_read_only = on',
    'default_transaction_read_only',
  ],
  [
    'session_replication_role',
    'failure',
    'alter database DB set session_replication_role = replica',
    'replica',
  ],
  [
    'ids',
    'failure',
    'alter table patients drop constraint patients_pkey; alter table patients drop column id',
    'patients',
  ],
  [
    'circles of foreign keys',
    'failure',
    'alter table offices add column first_patient_id uuid references patients',
    'fkey',
  ],
])('target: %s is a %s after %s, and the advice mends it', async (name, status, sql, found) => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  await pair.target.query(sql.replace('DB', pair.target.name));
  const broken = await work.check();
  expect(broken.code).toBe(1);
  const result = broken.of(`target: ${name}`);
  expect(result).toMatchObject({ status, found: expect.stringContaining(found) as unknown });
  // Not in the pool, whose sessions may be older than the setting.
  const client = await pair.target.client();
  await client.query('set default_transaction_read_only = off');
  for (const statement of statementsIn(result.mend)) await client.query(statement);
  expect((await work.check()).of(`target: ${name}`).status).toBe('ok');
});

test('target: a table that others refer to and that cannot mark what goes is a warning, and the advice mends it', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  const result = (await work.check()).of('target: removal');
  expect(result).toMatchObject({ status: 'warning', found: /offices$/.exec(result.found)?.input });
  await follow(pair.target, result.mend);
  expect((await work.check()).of('target: removal').status).toBe('ok');
});

test('target: a table that is dropped after the setup is a failure; a limit of time a warning', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  await pair.target.query(
    `drop table patients; alter database ${pair.target.name} set statement_timeout = '8s'`,
  );
  const { code, of } = await work.check();
  expect(code).toBe(1);
  expect(of('target: tables')).toMatchObject({ status: 'failure', found: 'missing: patients' });
  expect(of('target: time limits')).toMatchObject({
    status: 'warning',
    found: 'statement_timeout=8s',
  });
});

test('target: a migration that was edited after it had been applied is a warning', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  work.write('migrations/20260101000000_tables.sql', 'select 1;');
  expect((await work.check()).of('target: migrations')).toMatchObject({
    status: 'warning',
    found: expect.stringContaining('20260101000000_tables.sql') as unknown,
  });
});

test('source and target in one database are a failure', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair, { TARGET_URL: pair.source.connectionString });
  const { code, of } = await work.check();
  expect(code).toBe(1);
  expect(of('target: another database')).toMatchObject({ status: 'failure' });
});

test('a source that is another server than before is a failure', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  await pair.target.query(`update tandem.position set system_identifier = '1'`);
  expect((await work.check()).of('target: position').found).toContain('WRONG_SERVER');
});

test('a slot of somebody else cannot be taken: another plugin, another database, another reader', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const { source } = pair;
  await source.query(`select pg_create_physical_replication_slot('${source.name}')`);
  expect((await work.check()).of('source: slot').found).toContain(
    'belongs to the plugin (physical)',
  );
  await source.query(`select pg_drop_replication_slot('${source.name}')`);

  await using other = await freshPair();
  await other.source.query(
    `select pg_create_logical_replication_slot('${source.name}', 'pgoutput')`,
  );
  expect((await work.check()).of('source: slot')).toMatchObject({
    status: 'failure',
    found: expect.stringContaining(`belongs to the database ${other.source.name}`) as unknown,
  });
  await other.source.query(`select pg_drop_replication_slot('${source.name}')`);

  await work.run('setup');
  const { default: pg } = await import('pg');
  const reader = new pg.Client({
    connectionString: source.connectionString,
    replication: 'database',
  } as object);
  reader.on('error', () => undefined);
  await reader.connect();
  const start = `START_REPLICATION SLOT ${source.name} LOGICAL 0/0 (proto_version '1', publication_names 'tandem')`;
  reader.query(start).catch(() => undefined);
  const active = `select active_pid from pg_replication_slots where slot_name = '${source.name}' and active`;
  const [row] = await waitFor(
    async () => {
      const rows = await source.query(active);
      return rows.length > 0 && rows;
    },
    { what: 'the slot to be read' },
  );
  expect((await work.check()).of('source: slot')).toMatchObject({
    status: 'warning',
    found: expect.stringContaining(`process ${String(row?.['active_pid'])}`) as unknown,
  });
  expect((await work.run('teardown', '--yes')).err).toMatch(/SLOT_IN_USE .*pid=\d+/);
  (
    reader as unknown as { connection: { stream: { destroy(): void } } }
  ).connection.stream.destroy();
});

test('a source without logical decoding, slots and senders is told how to get them', async () => {
  await using server = await startPostgres({
    settings: {
      fsync: 'off',
      wal_level: 'replica',
      max_replication_slots: '0',
      max_wal_senders: '0',
      wal_sender_timeout: '0',
    },
  });
  await using pair = await freshPair();
  using work = await onServer(pair, server.connectionString());
  const { code, of } = await work.check();
  expect(code).toBe(1);
  expect(of('source: wal_level')).toMatchObject({ status: 'failure', found: 'replica' });
  expect(of('source: replication slots')).toMatchObject({
    status: 'failure',
    found: '0 of 0 used',
  });
  expect(of('source: WAL senders')).toMatchObject({ status: 'failure', found: '0 of 0 used' });
  expect(of('source: wal_sender_timeout').status).toBe('warning');
  const { err } = await work.run('setup');
  expect(err).toMatch(/^error: (WAL_LEVEL|SOURCE_FAILED) .*\nnext: /);
});

test('a slot that lost its WAL is a failure, for check and for setup', async () => {
  await using server = await startPostgres({
    settings: {
      fsync: 'off',
      max_slot_wal_keep_size: '16MB',
      max_wal_size: '32MB',
      max_prepared_transactions: '2',
    },
  });
  await using pair = await freshPair();
  using work = await onServer(pair, server.connectionString());
  expect((await work.run('setup')).code).toBe(0);
  const { default: pg } = await import('pg');
  const admin = new pg.Client({ connectionString: server.connectionString() });
  await admin.connect();
  for (let i = 0; i < 5; i++) {
    await admin.query('create table if not exists filler (x int); insert into filler values (1)');
    await admin.query('select pg_switch_wal()');
  }
  await admin.query('checkpoint');
  await admin.query(`begin; insert into filler values (2); prepare transaction 'forgotten'`);
  const { code, of } = await work.check();
  expect(code).toBe(1);
  expect(of('source: slot')).toMatchObject({
    status: 'failure',
    mend: expect.stringContaining('--new-slot') as unknown,
  });
  expect(of('source: max_slot_wal_keep_size').found).toContain('16 MB');
  expect(of('source: prepared transactions')).toMatchObject({ status: 'warning', found: '1 open' });
  expect((await work.run('setup')).err).toMatch(/^error: SLOT_LOST .*\nnext: .*--new-slot/);
  await admin.query(`rollback prepared 'forgotten'`);
  expect((await work.run('setup', '--new-slot')).code).toBe(0);
  await admin.end();
});

test('an encoding that the server does not know is a failure', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const name = `${pair.source.name}_ascii`;
  await pair.source.query(
    `create database ${name} template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'`,
  );
  try {
    const url = urlWith(pair.source.connectionString, (it) => (it.pathname = `/${name}`));
    expect((await work.check('--source', url)).of('source: encoding').status).toBe('failure');
  } finally {
    await pair.source.query(`drop database ${name} with (force)`);
  }
});

/** Each mistake in a mapping, by what is replaced in a right one. */
const BY = `map: (root) => row({ id: ref('patient', root.id)`;
test.each<[string, string, [string, string][], RegExp]>([
  [
    'patient',
    'a target column that does not exist',
    [[`, name: root.name }) });\n    export`, `, nmae: root.name }) });\n    export`]],
    /writes patients\.nmae/,
  ],
  [
    'patient',
    'a map that throws',
    [[BY, `map: (root) => row({ oops: root.name.length, id: ref('patient', root.id)`]],
    /map threw TypeError.* at .*map-3\.ts:\d+/,
  ],
  [
    'patient',
    'a map without an outcome',
    [[BY, `map: (root) => 0 && row({ id: ref('patient', root.id)`]],
    /no outcome/,
  ],
  [
    'patient',
    'an id that is no reference',
    [[BY, `map: (root) => row({ id: root.id`]],
    /whose id is no reference/,
  ],
  [
    'patient',
    'an id that is not its own',
    [[BY, `map: (root) => row({ id: ref('patient', 7)`]],
    /not the root's own/,
  ],
  [
    'patient',
    'a reference that nobody yields',
    [[`ref('office', root.office_id)`, `ref('ofice', root.office_id)`]],
    /no entity yields 'ofice', which patients\.office_id/,
  ],
  [
    'patient',
    'a legacy column that is not declared',
    [[`select('office_id', 'name')`, `select('office_id', 'nmae')`]],
    /selects patient\.nmae/,
  ],
  [
    'office',
    'a secret column',
    [[`office.select('name')`, `office.select('name', 'secret_token')`]],
    /secret_token, which is marked neverRead/,
  ],
  [
    'office',
    'two entities of one name',
    [['entities: [offices, patients]', 'entities: [offices, patients, offices]']],
    /has the name of/,
  ],
  [
    'patient',
    'two entities with one table and identity',
    [
      [`target: 'patients'`, `target: 'offices', identity: 'office'`],
      [BY, BY.replace(`ref('patient'`, `ref('office'`)],
    ],
    /writes offices with the identity office, as office does/,
  ],
  [
    'patient',
    'two keys of one table',
    [
      [
        `name: 'patient', target: 'patients', from: patient.select('office_id', 'name')`,
        `name: 'patient', target: 'patients', from: patient.select('office_id', 'name').with((on) => ({ o: on.exists(legacyTable('office', ['id', 'name'], { id: int4, name: text }), 'id', 'office_id') }))`,
      ],
    ],
    /another entity declares/,
  ],
  [
    'patient',
    'a sum of a target column that is not written',
    [[`target: 'patients', from`, `target: 'patients', sums: { totl: 'office_id' }, from`]],
    /sums patients\.totl, which map does not write/,
  ],
  [
    'patient',
    'a sum of a legacy column that is not selected',
    [[`target: 'patients', from`, `target: 'patients', sums: { name: 'height' }, from`]],
    /sums patient\.height, which it does not select/,
  ],
  [
    'patient',
    'a sum of texts',
    [[`target: 'patients', from`, `target: 'patients', sums: { name: 'name' }, from`]],
    /sums patient\.name, which is text and cannot be added up/,
  ],
  [
    'office',
    'sums of an entity that fans out',
    [[`target: 'offices', from`, `target: 'offices', fanOut: true, sums: { name: 'id' }, from`]],
    /declares sums, and a root of it may have several rows/,
  ],
  [
    'patient',
    'content types without their columns',
    [
      [
        `patient.select('office_id', 'name')`,
        `patient.select('office_id', 'name').with((on) => ({ about: on.generic({ type: 'office_id', id: 'id', types: office }, {}) }))`,
      ],
    ],
    /joins by office\.app_label/,
  ],
])('mapping: %s: %s is found, with file and name', async (entity, _, replace, problem) => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  const file = `map-${replace.length + 2}.ts`;
  work.write(file, smallMapping(replace));
  const { code, of } = await work.check('--mapping', file);
  const result = of(`mapping: ${entity}`);
  expect(code).toBe(1);
  expect(result.status).toBe('failure');
  expect(result.found).toMatch(problem);
  expect(result.found).toContain(file);
});

test('mapping: not-null references in a circle are found', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await work.run('setup');
  await pair.target
    .query(`alter table offices add column patient_id uuid not null references patients deferrable;
    alter table patients alter office_id set not null`);
  const { code, of } = await work.check();
  expect(code).toBe(1);
  expect(of('mapping: office').found).toMatch(/circle: office → patient → office/);
});

test.each<[string, string | null, RegExp]>([
  ['a file that is missing', null, /there is no such file/],
  ['no default export', 'export const mapping = 1;', /no default export/],
  ['a default export that is no mapping', 'export default 7;', /not a Mapping/],
  ['no entities', `export default { name: 'x', migrations: null, entities: [] };`, /no entities/],
  [
    'a module that throws',
    `throw new Error('out of ideas');\nexport default {};`,
    /threw Error: out of ideas/,
  ],
])(
  'mapping: %s is a failure, and the databases are checked all the same',
  async (_, content, problem) => {
    await using pair = await freshPair();
    using work = await smallWorkplace(pair);
    if (content !== null) work.write('broken.ts', content);
    const { code, of } = await work.check('--mapping', 'broken.ts');
    expect(code).toBe(1);
    expect(of('mapping: loads')).toMatchObject({
      status: 'failure',
      found: expect.stringMatching(problem) as unknown,
    });
    expect(of('source: wal_level').status).toBe('ok');
    const { code: setup, err } = await work.run('setup', '--mapping', 'broken.ts');
    expect(setup).toBe(1);
    expect(err).toMatch(
      /^error: MAPPING_INVALID file=.*broken\.ts problem=.*\nnext: {2}.*tandem check/,
    );
  },
);

test('seed rows may be what a reference means', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  work.write(
    'seeded.ts',
    smallMapping([[`ref('office', root.office_id)`, `ref('branch', root.office_id)`]]),
  );
  const before = await work.check('--mapping', 'seeded.ts');
  expect(before.of('mapping: patient').status).toBe('warning');
  await work.run('setup');
  expect((await work.check('--mapping', 'seeded.ts')).of('mapping: patient').status).toBe(
    'failure',
  );
  await pair.target.query(`insert into offices values (tandem.uuid_of('branch', 1), 'one')`);
  expect((await work.check('--mapping', 'seeded.ts')).code).toBe(0);
});

async function version(db: TestDatabase): Promise<number> {
  const [row] = await db.query(`select current_setting('server_version_num')::int / 10000 as it`);
  return Number(row?.['it']);
}

/** The small workplace, with its source on a server of its own. */
async function onServer(pair: TestPair, url: string): Promise<Workplace> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(LEGACY_SQL);
  await client.end();
  return smallWorkplace(pair, { SOURCE_URL: url });
}
