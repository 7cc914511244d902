import { expect, test } from 'vitest';
import { freshPair, type TestPair } from '../harness/database.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import type { Workplace } from './cli-run.ts';
import { load, recordsWorkplace } from './records-workplace.ts';

type Account = {
  entity: string;
  excluded: Record<string, number>;
  quarantined: number;
  difference: number;
};
async function accountOf(work: Workplace, entity: string): Promise<Account> {
  const { out } = await work.run('status', '--json');
  const { entities } = JSON.parse(out) as { entities: Account[] };
  const found = entities.find((it) => it.entity === entity);
  if (found === undefined) throw new Error(out);
  const { excluded, quarantined, difference } = found;
  return { entity, excluded, quarantined, difference };
}
const accepted = ({ target }: TestPair) =>
  target.query('select entity, root_key, error_class from tandem.accepted order by 1, 2');
const caughtUp = async (work: Workplace, running: TandemProcess) => {
  const { code } = await work.run('status', '--caught-up', '--timeout', '30s');
  expect({ code, log: running.output }).toMatchObject({ code: 0 });
};

test('an accepted row is out of quarantine, by whom and why is kept, and the account adds up', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  expect(
    await work.run('quarantine', 'accept', 'office', '2', '5', '--reason', 'test data'),
  ).toEqual({
    code: 0,
    out: 'accepted 2 of office (MAPPING_REJECTED_ROW, TARGET_REFUSED_ROW); see: tandem quarantine list --accepted\n',
    err: '',
  });
  expect(await accountOf(work, 'office')).toEqual({
    entity: 'office',
    excluded: {
      'accepted: MAPPING_REJECTED_ROW': 1,
      'accepted: TARGET_REFUSED_ROW': 1,
      closed_office: 1,
    },
    quarantined: 2,
    difference: 0,
  });
  const [me] = await pair.target.query('select session_user::text as me');
  const list = await work.run('quarantine', 'list', '--accepted');
  expect(list.out).toMatch(
    new RegExp(`^office +2 +MAPPING_REJECTED_ROW +\\d+ s +${String(me?.['me'])} +test data$`, 'm'),
  );
  expect((await work.run('status')).out).toMatch(/^accepted {5}2, the oldest for \d+ s$/m);
  const shown = await work.run('quarantine', 'show', 'office', '2');
  expect(shown.out).toContain(`accepted    MAPPING_REJECTED_ROW`);
  expect(shown.out).toMatch(/^decided {5}\S+ at .*: test data$/m);
});

test('all of one kind are accepted in one go; others are not', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  const kind = ['--all', '--entity', 'office', '--code', 'MAPPING_REJECTED_ROW', '--reason', 'old'];
  expect((await work.run('quarantine', 'accept', ...kind, '--yes')).out).toContain(
    'accepted 2 of office (MAPPING_REJECTED_ROW)',
  );
  expect(await accepted(pair)).toEqual([
    { entity: 'office', root_key: '2', error_class: 'MAPPING_REJECTED_ROW' },
    { entity: 'office', root_key: '6', error_class: 'MAPPING_REJECTED_ROW' },
  ]);
  expect(await accountOf(work, 'office')).toMatchObject({ quarantined: 2, difference: 0 });
  expect(await accountOf(work, 'link')).toMatchObject({ quarantined: 1, difference: 0 });
});

test('the decision holds for the version that was refused, and only for that', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  await work.run('quarantine', 'accept', 'office', '2', '6', '--reason', 'test data');
  await work.run('quarantine', 'accept', 'link', '["1","2"]', '--reason', 'no label');
  const everything = ['backfill', '--only', 'office,link'];
  expect((await work.run(...everything)).code).toBe(0);
  expect(await accepted(pair)).toHaveLength(3);
  expect(await accountOf(work, 'office')).toMatchObject({ quarantined: 2, difference: 0 });

  await using running = new TandemProcess(['run'], work.environment);
  // Refused again as another version; applied now; not touched.
  await pair.source.query(`update office set name = 'bad still' where id = 2;
    update office set name = 'good' where id = 6`);
  await caughtUp(work, running);
  expect(await accepted(pair)).toEqual([
    { entity: 'link', root_key: '["1","2"]', error_class: 'MAPPING_REJECTED_ROW' },
  ]);
  expect(await accountOf(work, 'office')).toEqual({
    entity: 'office',
    excluded: { closed_office: 1 },
    quarantined: 3,
    difference: 0,
  });
  await pair.source.query('delete from link where label is null');
  await caughtUp(work, running);
  expect(await accepted(pair)).toEqual([]);
  expect(await accountOf(work, 'link')).toMatchObject({ excluded: {}, difference: 0 });
});

test('a row of an earlier version stays when the refused one is accepted, and is not counted twice', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  await using running = new TandemProcess(['run'], work.environment);
  await pair.source.query(`update office set name = 'bad' where id = 1`);
  await caughtUp(work, running);
  await work.run('quarantine', 'accept', 'office', '1', '--reason', 'the old name will do');
  expect(await pair.target.query('select name from offices')).toEqual([{ name: 'north' }]);
  expect(await accountOf(work, 'office')).toMatchObject({ quarantined: 4, difference: 0 });
});

test('another kind of refusal is another decision', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  await work.run('quarantine', 'accept', 'office', '2', '--reason', 'test data');
  await pair.target.query(`update tandem.accepted set error_class = 'TARGET_REFUSED_ROW'`);
  await work.run('backfill', '--only', 'office');
  expect(await accepted(pair)).toEqual([]);
  expect(await accountOf(work, 'office')).toMatchObject({ quarantined: 4, difference: 0 });
});

test('a retry takes the decision back', async () => {
  await using pair = await freshPair();
  using work = await recordsWorkplace(pair);
  await load(work);
  await work.run('quarantine', 'accept', 'office', '2', '--reason', 'test data');
  const { out } = await work.run('quarantine', 'retry', 'office', '2');
  expect(out).toBe('office: 1 tried again: 1 in quarantine\n');
  expect(await accepted(pair)).toEqual([]);
  expect(await accountOf(work, 'office')).toMatchObject({ quarantined: 4, difference: 0 });
  const [row] = await pair.target.query(
    `select attempts from tandem.quarantine where root_key = '2'`,
  );
  expect(row).toEqual({ attempts: 2 });
});
