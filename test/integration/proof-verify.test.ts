import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withClient } from '../../connectors/postgres/connection.ts';
import { TandemError } from '../../core/errors.ts';
import { tandemVersion } from '../../cli/version.ts';
import { emptyState } from '../../proof/mirror/table-state.ts';
import { beginPass, findPass, finishPass, StateKeeper } from '../../proof/pass.ts';
import type { ProofReport } from '../../proof/report.ts';
import { freshPair, type TestPair } from '../harness/database.ts';
import { TandemProcess, tandem } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import type { Workplace } from './cli-run.ts';
import { smallWorkplace } from './cli-small-mapping.ts';
import { inShort, ProofBench, stateKeeper } from './proof-bench.ts';

let pair: TestPair;
let work: Workplace;
let run: TandemProcess;
beforeAll(async () => {
  pair = await freshPair();
  work = await smallWorkplace(pair, { HEARTBEAT_SECONDS: '1', CHUNK_ROWS: '100' });
  await pair.source.query(`insert into office select i, 'o' || i from generate_series(1, 20) i;
    insert into patient select i, 1, 'n' || i, i % 50 from generate_series(1, 1000) i`);
  const settings = { ...work.environment, MAPPING: join(work.folder, 'mapping.ts') };
  run = new TandemProcess(['run'], settings);
  const caughtUp = await tandem(['status', '--caught-up'], settings);
  expect(caughtUp.code, `${caughtUp.output}${run.output}`).toBe(0);
});
afterAll(async () => {
  await run[Symbol.asyncDispose]();
  work[Symbol.dispose]();
  await pair[Symbol.asyncDispose]();
});

async function verify(...argv: string[]): Promise<ProofReport & { readonly code: number }> {
  const { code, out, err } = await work.run('verify', '--json', ...argv);
  if (out === '') throw new Error(`verify printed nothing: ${err}`);
  return { code, ...(JSON.parse(out) as ProofReport) };
}

const tablesOf = ({ mirror }: ProofReport) => mirror.tables.map(({ table }) => table);

test('it tells rows, ranges and the verdict, in lines for people', async () => {
  const { code, out } = await work.run('verify');
  expect(code).toBe(0);
  expect(out).toMatch(/^table +rows +ranges +mismatches +unsettled$/m);
  expect(out).toMatch(/^patient +1,000 +11 +0 +0$/m);
  expect(out).toMatch(/^2 tables, 1,020 rows, source at [0-9A-F/]+ to [0-9A-F/]+: AGREES$/m);
});

test('it does all three: the target against the mirror, and the account, too', async () => {
  const { code, out } = await work.run('verify');
  expect(code).toBe(0);
  expect(out).toMatch(/^patient +1,000 +1,000 +0 +0 +0 +0 +0$/m);
  expect(out).toMatch(/^patient +1,000 +1,000 +1,000 +0 +0 +0 +0$/m);
  const report = await verify('--report', 'whole');
  expect(report).toMatchObject({ verdict: 'agrees', mapping: 'small', notVerified: [] });
  const markdown = readFileSync(join(work.folder, 'whole.md'), 'utf8');
  for (const title of ['Mirror against source', 'Target against mirror', 'Account of the roots']) {
    expect(markdown).toContain(`## ${title}\n`);
  }
  expect(markdown).toMatch(/^\| position \| tandem [0-9A-F]+\/[0-9A-F]+ \|$/m);
  expect(markdown).toContain('## Not verified\n\nNothing.');
});

test('a row that somebody changed in the target is told, and the verdict is the worst of the parts', async () => {
  await pair.target.query(`update public.patients set name = 'secret name'
    where id = tandem.uuid_of('patient', 8)`);
  const { code, out } = await work.run('verify');
  expect(code).toBe(1);
  expect(out).toMatch(/^patient: 8, row [0-9a-f-]{36} of patients: differs in name$/m);
  expect(out).toMatch(/: DIFFERS$/m);
  expect(out).not.toContain('secret name');
  const ofTable = await verify('--table', 'patient');
  expect(ofTable).toMatchObject({ code: 0, target: null, account: null });
  expect(ofTable.notVerified).toEqual([
    { what: 'the target and the account', why: 'only the mirror was asked for' },
  ]);
  const ofEntity = await verify('--entity', 'office');
  expect(ofEntity).toMatchObject({ code: 0, target: { entities: [{ entity: 'office' }] } });
  await pair.target.query(`update public.patients set name = 'n8'
    where id = tandem.uuid_of('patient', 8)`);
  expect((await verify()).code).toBe(0);
});

test('a row that cannot be removed is named, and the process that streams goes on', async () => {
  // `offices` has no `deleted_at`, and `patients` refers to it.
  await pair.target.query(`insert into public.offices
    select tandem.uuid_of('office', i), 'x' from unnest(array[901, 902]) i;
    insert into legacy.office (id, name, _commit_lsn) values (902, 'x', '0/1');
    update public.patients set office_id = tandem.uuid_of('office', 902)
      where id = tandem.uuid_of('patient', 9);
    update legacy.patient set name = 'wrong' where id = 10`);
  const { code, out } = await work.run('verify', '--repair');
  expect(code).toBe(1);
  expect(out).toContain('patient: read again from the source: 1 (10)\n');
  expect(out).toContain('office: read again from the source: 1 (902)\n');
  // 902 goes with the patient's reference to it; 901 was never of any root.
  expect(out).toContain('patient: derived again: 1 (9)\n');
  expect(out).toMatch(/^office: not repaired, row .* of offices: others refer to the table/m);
  await pair.target.query(`delete from public.offices where id = tandem.uuid_of('office', 901)`);
  expect((await verify('--repair')).code).toBe(0);
  expect(run.output).not.toContain('"interrupted"');
});

test('a fault is told with table, key and columns, on the screen and in both report files, without a value', async () => {
  await pair.target.query(`update legacy.patient set name = 'secret name' where id = 7`);
  const { code, out, err } = await work.run('verify', '--report', 'out/../proof.md');
  expect(code).toBe(1);
  expect(out).toContain('patient: 7: the values differ in name\n');
  expect(out).toMatch(/: DIFFERS$/m);
  expect(err).toContain('proof.md');
  const [markdown, json] = ['proof.md', 'proof.json'].map((name) =>
    readFileSync(join(work.folder, name), 'utf8'),
  );
  expect(markdown).toContain('- `patient`: 7: the values differ in name');
  expect(markdown).toMatch(/\| source \| PostgreSQL \d+/);
  expect(JSON.parse(json ?? '')).toMatchObject({ verdict: 'differs', tandem: tandemVersion() });
  for (const text of [out, err, markdown, json]) expect(text).not.toContain('secret name');
  await pair.target.query(`update legacy.patient set name = 'n7' where id = 7`);
  const [kept] = await pair.target.query(
    'select verdict, summary, finished_at is not null as done from tandem.proof order by id desc limit 1',
  );
  expect(kept).toMatchObject({ verdict: 'differs', done: true, summary: { mismatches: 1 } });
});

test('tables and entities can be chosen; a wrong name is told, with the one that is near', async () => {
  expect(tablesOf(await verify('--table', 'office'))).toEqual(['office']);
  expect(tablesOf(await verify('--entity', 'patient'))).toEqual(['patient']);
  expect(tablesOf(await verify('--entity', 'patient', '--table', 'office'))).toHaveLength(2);
  const wrong = await work.run('verify', '--table', 'patients');
  expect(wrong).toMatchObject({ code: 2, out: '' });
  expect(wrong.err).toContain('no table of the mapping is named patients; did you mean patient?');
});

test.each([
  ['--sample', '0'],
  ['--sample', 'half'],
  ['--since', 'yesterday'],
  ['--max-load', '2'],
  ['--rows-per-second', '-1'],
  ['--wait', 'long'],
])('%s %s is refused', async (flag, value) => {
  const { code, err } = await work.run('verify', flag, value);
  expect(code).toBe(2);
  expect(err).toContain(`${flag} ${value}`);
});

test('a sample looks at its share of the ranges, the same with the same seed, and says so', async () => {
  const [a, b] = [
    await verify('--sample', '30%', '--seed', '5', '--table', 'patient'),
    await verify('--sample', '30%', '--seed', '5', '--table', 'patient'),
  ];
  expect(a.scope.sample).toEqual({ share: 0.3, seed: 5 });
  expect(a.mirror.tables).toEqual(b.mirror.tables);
  const [table] = a.mirror.tables;
  expect(table?.ranges).toBeGreaterThanOrEqual(3);
  expect(table?.ranges).toBeLessThanOrEqual(4);
  expect((table?.ranges ?? 0) + (table?.skippedRanges ?? 0)).toBe(11);
  const { out } = await work.run('verify', '--sample', '30%', '--seed', '5');
  expect(out).toContain('a sample: 30% of the ranges, seed 5');
});

test('--since looks at the keys that have changed behind a place, deleted ones too', async () => {
  const [before] = await pair.source.query('select pg_current_wal_insert_lsn()::text as lsn');
  await pair.source.query(`update patient set name = 'since' where id in (100, 101);
    delete from patient where id = 102`);
  await waitFor(
    async () =>
      (await pair.target.query('select from legacy.patient where id = 102 and _deleted')).length,
    { what: 'the deletion' },
  );
  const since = ['--since', String(before?.['lsn']), '--table', 'patient'];
  expect((await verify(...since)).mirror.tables).toMatchObject([{ rows: 3, mismatches: [] }]);
  await pair.target.query(`update legacy.patient set name = 'x' where id = 101`);
  const [table] = (await verify(...since)).mirror.tables;
  expect(table && inShort(table)).toEqual(['101 different name']);
  // Heartbeats have told what time it was; what changed in the minute before may be looked at too.
  const [time] = await pair.source.query(`select now() + interval '2 seconds' as soon`);
  const soon = new Date(String(time?.['soon'])).toISOString();
  const [found] = (await verify('--since', soon, '--table', 'patient')).mirror.tables;
  expect(found?.rows).toBeGreaterThanOrEqual(3);
  expect(found && inShort(found)).toEqual(['101 different name']);
  await pair.target.query(`update legacy.patient set name = 'since' where id = 101`);
});

test('a table whose copy is not complete, or whose columns are others, is named as not verified', async () => {
  await pair.target.query(`update tandem.mirror set loaded_at = null where table_name = 'office'`);
  await pair.target.query(
    `update tandem.mirror set columns = '[["id","integer"]]' where table_name = 'patient'`,
  );
  const report = await verify();
  expect(report.code).toBe(3);
  const why = new Map(report.mirror.tables.map((it) => [it.table, it.notVerified]));
  expect(why.get('office')).toMatch(/^its copy is not complete/);
  expect(why.get('patient')).toMatch(/^source and mirror do not fit/);
  await pair.target.query(`update tandem.mirror set loaded_at = now(), columns =
    case table_name when 'office' then columns
      else '[["id","integer"],["office_id","integer"],["name","text"]]'::jsonb end`);
  expect((await verify()).code).toBe(0);
});

test('one that was stopped goes on behind its last range, with what it had found', async () => {
  await using bench = await ProofBench.open(
    { note: { id: 'key', body: 'value' }, other: { id: 'key' } },
    `create table note (id int primary key, body text); create table other (id int primary key);
     insert into note select i, 'b' from generate_series(1, 1000) i;
     insert into other values (1)`,
  );
  await bench.mirror(`update legacy.note set body = 'x' where id in (50, 950)`);
  const { states, keep } = stateKeeper();
  const over = new AbortController();
  const stopped = await bench.verify({
    signal: over.signal,
    async keep(table, state) {
      await keep(table, state);
      if (state.ranges === 4) over.abort();
    },
  });
  expect(stopped).toMatchObject({ isComplete: false, tables: [{ ranges: 4, rows: 400 }] });
  await bench.mirror(`update legacy.note set body = 'b' where id = 50`);
  const rest = await bench.verify({ resumeFrom: states, keep });
  expect(rest).toMatchObject({
    isComplete: true,
    tables: [{ ranges: 11, rows: 1000 }, { rows: 1 }],
  });
  // 50 is right by now, and was wrong when its range was read.
  expect(rest.tables.map(inShort)).toEqual([['50 different body', '950 different body'], []]);
  const whole = await bench.verify();
  expect(whole.tables.map(({ checksum }) => checksum)).toEqual(
    rest.tables.map(({ checksum }) => checksum),
  );
});

test('SIGTERM ends the command with exit code 3; --resume goes on', async () => {
  const settings = { ...work.environment, MAPPING: join(work.folder, 'mapping.ts') };
  const options = ['verify', '--table', 'patient', '--rows-per-second', '400'];
  await using child = new TandemProcess(options, settings);
  await waitFor(
    async () =>
      (await pair.target.query(`select from tandem.proof_table where (state->>'ranges')::int >= 2`))
        .length > 0,
    { what: 'two ranges', timeoutMs: 30_000 },
  );
  expect(await child.stop('SIGTERM')).toBe(3);
  expect(child.output).toContain('`tandem verify --resume` with the same options goes on');
  const resumed = await work.run('verify', '--table', 'patient', '--resume', '--json');
  expect(resumed.err).toContain('going on with what was begun at');
  const report = JSON.parse(resumed.out) as ProofReport;
  expect(report.mirror).toMatchObject({ isComplete: true, tables: [{ rows: 999 }] });
  expect(await pair.target.query('select from tandem.proof_table')).toEqual([]);
});

test('of two passes over the same scope the later one is kept, and the earlier one goes on undisturbed', async () => {
  const database = {
    side: 'target',
    client: { connectionString: pair.target.connectionString },
  } as const;
  await withClient(database, 'test', async (client) => {
    const earlier = await beginPass(client, 'the same', 1);
    const keeper = new StateKeeper(client, earlier, { now: () => 0 });
    await keeper.keep('patient', emptyState());
    const later = await beginPass(client, 'the same', 2);
    await keeper.flush();
    expect(await findPass(client, 'the same')).toEqual(later);
    await finishPass(client, later, { verdict: 'agrees', summary: {}, isFull: false });
  });
});

test('the source of another server is refused', async () => {
  await using bench = await ProofBench.open(
    { note: { id: 'key' } },
    'create table note (id int primary key)',
  );
  await bench.mirror(`update tandem.position set system_identifier = '17'`);
  const error: unknown = await bench.verify().catch((it: unknown) => it);
  expect(error).toBeInstanceOf(TandemError);
  expect(error).toMatchObject({ code: 'WRONG_SERVER' });
});
