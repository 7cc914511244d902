import { expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import { load, recordsWorkplace } from './records-workplace.ts';

/** Makes the target take long names; nothing in the source changes, so nobody derives again. */
const MEND = 'alter table public.offices drop constraint short';

test('without a running process retry derives the rows here, and says what became of them', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  const { target } = pair;
  await target.query(MEND);
  const attempts = () =>
    target.query(
      `select root_key, attempts from tandem.quarantine where entity = 'office' order by 1`,
    );
  expect(await work.run('quarantine', 'retry', 'office', '5', '2')).toEqual({
    code: 0,
    out: 'office: 2 tried again: 1 applied, excluded or gone, 1 in quarantine\n',
    err: '',
  });
  expect(await attempts()).toEqual([
    { root_key: '2', attempts: 2 },
    { root_key: '4', attempts: 1 },
    { root_key: '6', attempts: 1 },
  ]);
  expect(await target.query('select name from offices order by 1')).toEqual([
    { name: 'much too long a name' },
    { name: 'north' },
  ]);
  const all = await work.run('quarantine', 'retry', '--all', '--json');
  expect(JSON.parse(all.out)).toMatchObject({
    fates: [
      { entity: 'link', rows: 1, quarantine: 1, none: 0 },
      { entity: 'office', rows: 3, quarantine: 3, none: 0 },
    ],
  });
  expect(await target.query('select id from tandem.job')).toEqual([]);
  expect((await work.run('unresolved', 'retry', 'patient')).out).toBe(
    'patient: 1 tried again: 1 unresolved\n',
  );
  expect((await work.run('held', 'retry', 'office')).out).toBe('none held\n');
  const { out, err } = await work.run('status');
  expect({ out, err }).toEqual({ out: expect.stringMatching(/^visit +3/m) as unknown, err: '' });
  expect(out).not.toContain('UNACCOUNTED');
});

test('the version of a refused row is that of its mirror row, also when a job has refused it', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  const versions = () =>
    pair.target.query(`select root_key, source_commit_lsn = _commit_lsn as same
      from tandem.quarantine join legacy.office on id::text = root_key where entity = 'office' order by 1`);
  const right = ['2', '4', '5', '6'].map((key) => ({ root_key: key, same: true }));
  expect(await versions()).toEqual(right);
  await work.run('quarantine', 'retry', '--all');
  expect(await versions()).toEqual(right);
  await using running = new TandemProcess(['run'], work.environment);
  await pair.source.query(`begin; update office set name = 'boom' where id = 2;
    update patient set name = 'later' where id = 3; commit`);
  const { code } = await work.run('status', '--caught-up', '--timeout', '30s');
  expect({ code, log: running.output }).toMatchObject({ code: 0 });
  expect(await versions()).toEqual(right);
});

test('a process that streams does it as a job; --wait says what became of the rows', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  await using running = new TandemProcess(['run'], work.environment);
  await waitFor(async () => (await work.run('status')).out.includes('read by process'), {
    what: `the stream: ${running.output}`,
    timeoutMs: 30_000,
  });
  await pair.target.query(MEND);
  expect((await work.run('quarantine', 'retry', 'office', '4')).out).toBe(
    'left to the process that streams: 1 of office; see: tandem quarantine list\n',
  );
  const waited = await work.run('quarantine', 'retry', 'office', '5', '2', '--wait');
  expect({ ...waited, log: running.output }).toMatchObject({
    code: 0,
    out: 'office: 2 tried again: 1 applied, excluded or gone, 1 in quarantine\n',
  });
  expect(await running.stop()).toBe(0);
});

test('a row that is mended in the source leaves the list by itself; its children go with it', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  await using running = new TandemProcess(['run'], work.environment);
  await pair.source.query(`update office set name = 'south' where id = 2;
    insert into patient values (9, null, 'dee', null)`);
  const { code } = await work.run('status', '--caught-up', '--timeout', '30s');
  expect({ code, log: running.output }).toMatchObject({ code: 0 });
  expect((await work.run('held')).out).toBe('none held\n');
  expect((await work.run('unresolved')).out).toBe('none unresolved\n');
  expect((await work.run('quarantine', 'show', 'office', '2')).err).toContain(
    'office 2 is not in quarantine: it was applied',
  );
});

test('what nobody would derive is not asked for: a stopped entity, and one that is not loaded', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  await pair.target.query(`update tandem.entity set state = 'stopped' where name = 'visit'`);
  const stopped = await work.run('held', 'retry', '--all');
  expect(stopped).toMatchObject({ code: 1, out: '' });
  expect(stopped.err).toContain('error: visit is stopped; nothing was tried');
  await pair.target.query(
    `update tandem.entity set state = 'active', derived_at = null where name = 'visit'`,
  );
  const open = await work.run('held', 'retry', '--all');
  expect(open.err).toContain('error: the backfill is not complete; nothing was tried');
  expect(await pair.target.query('select id from tandem.job')).toEqual([]);
});

test('an entry of a journal that waits is tried again too', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  await using running = new TandemProcess(['run'], work.environment);
  await pair.source.query(
    `update visit set room = 'z' where id = 2; update visit set room = 'bad' where id = 1`,
  );
  await work.run('status', '--caught-up', '--timeout', '30s');
  const { out } = await work.run('held', '--entity', 'room_change');
  expect({ out, log: running.output }).toMatchObject({
    out: expect.stringMatching(/visit_id -> visit 2/) as unknown,
  });
  const again = await work.run('held', 'retry', 'room_change', '--wait');
  expect(again.out).toBe('room_change: 1 tried again: 1 held\n');
  const refused = await work.run('quarantine', '--entity', 'room_change', '--json');
  const { rows } = JSON.parse(refused.out) as { rows: { key: string }[] };
  const key = rows[0]?.key ?? '';
  expect(key).toMatch(/^1 [\dA-F]+\/[\dA-F]+ /);
  expect((await work.run('quarantine', 'show', 'room_change', key)).out).toContain(
    'room is not one',
  );
  expect((await work.run('quarantine', 'retry', '--all', '--wait')).err).toContain(
    'left alone: 1 of room_change: a journal sees a change once',
  );
  expect(
    (await work.run('quarantine', 'accept', 'room_change', key, '--reason', 'a typo')).code,
  ).toBe(0);
  expect((await work.run('quarantine', '--entity', 'room_change')).out).toBe(
    'none in quarantine\n',
  );
});
