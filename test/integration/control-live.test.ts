import { expect, test } from 'vitest';
import { freshPair, type TestPair } from '../harness/database.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import { Workplace } from './cli-run.ts';
import { controlWorkplace, editedMapping, Traffic } from './control-workplace.ts';

/** Streams, and everything so far is in the target. */
async function caughtUp(work: Workplace, running: TandemProcess): Promise<void> {
  await waitFor(
    async () => {
      if (!(await work.run('status')).out.includes('read by process')) return false;
      const { code } = await work.run('status', '--caught-up', '--timeout', '20s');
      return code === 0;
    },
    { what: `the stream: ${running.output}`, timeoutMs: 60_000 },
  );
}

/** Mirror = source, and target = map(mirror), with every list as it has to be. */
async function expectAgreement(work: Workplace, running: TandemProcess): Promise<void> {
  await caughtUp(work, running);
  const { code, out, err } = await work.run('verify');
  expect({ code, out, err, log: code === 0 ? '' : running.output }).toMatchObject({ code: 0 });
}

const open = (pair: TestPair) => pair.target.query('select entity, done from tandem.job');

test('beside a live stream no change is lost, and a kill in the middle loses none either', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  // So many that they take more than a moment.
  await pair.source.query(`insert into patient select i, 10 + i % 40, 'patient ' || i, i % 200
    from generate_series(100000, 110000) as i`);
  await using first = new TandemProcess(['run'], work.environment);
  await caughtUp(work, first);
  await using traffic = new Traffic(pair);
  const whole = await work.run('reprocess', '--all', '--wait', '--timeout', '100s');
  expect({ ...whole, jobs: await open(pair), log: first.output }).toMatchObject({
    code: 0,
    out: 'derived again: link, office, patient, visit\n',
  });
  await traffic.rounds(5);
  expect((await work.run('reprocess', '--all')).out).toContain('left to the process that streams');
  await waitFor(async () => (await open(pair)).some((job) => Number(job['done']) > 0), {
    what: 'a job that is under way',
  });
  await first.stop('SIGKILL');
  expect(await open(pair)).not.toEqual([]);
  await traffic.rounds(5);
  await using second = new TandemProcess(['run'], work.environment);
  await traffic.rounds(20);
  await traffic[Symbol.asyncDispose]();
  await expectAgreement(work, second);
  expect(await open(pair)).toEqual([]);
  expect(await second.stop()).toBe(0);
}, 180_000);

test('an entity that is paused under load is not derived; the others, its children and the mirror go on, and it misses nothing', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  const { source, target } = pair;
  await using running = new TandemProcess(['run'], work.environment);
  await caughtUp(work, running);
  await using traffic = new Traffic(pair);
  await traffic.rounds(3);
  expect((await work.run('pause', 'patient', '--reason', 'a look')).out).toBe('patient: paused\n');
  const written = () => target.query('select sum(xmin::text::bigint), count(*) from patients');
  const before = await written();
  await traffic.rounds(10);
  await source.query(`insert into patient values (1000001, 1, 'in the pause', 1);
    insert into visit values (1000001, 1000001, 'waits'), (1000002, 101, 'goes on')`);
  await traffic[Symbol.asyncDispose]();
  await caughtUp(work, running);
  expect(await written()).toEqual(before);
  expect(await target.query('select name from legacy.patient where id = 1000001')).toHaveLength(1);
  expect(await target.query(`select room from visits where room in ('waits', 'goes on')`)).toEqual([
    { room: 'goes on' },
  ]);
  expect(
    await target.query(`select root_key from tandem.held where root_key = '1000001'`),
  ).toHaveLength(1);
  expect((await work.run('status')).out).toMatch(
    /^not derived {2}patient: paused since [\d: -]+: a look; next: tandem resume patient$/m,
  );
  expect((await work.run('pause', 'patient')).out).toMatch(/^patient: paused since .* already$/m);
  expect((await work.run('reprocess', '--entity', 'patient')).err).toContain('patient is paused');

  await using more = new Traffic(pair);
  // Not how fast, only that it ends: the traffic has no pause, and the machine may be busy.
  const resumed = await work.run('resume', 'patient', 'visit', '--wait', '--timeout', '150s');
  expect({ ...resumed, log: running.output }).toMatchObject({ code: 0, err: '' });
  expect(resumed.out).toMatch(/^visit: is active, and goes on as it was$/m);
  expect(resumed.out).toMatch(/^patient: goes on; it was paused since/m);
  expect(resumed.out).toMatch(/^derived again: patient$/m);
  await more.rounds(5);
  await more[Symbol.asyncDispose]();
  await expectAgreement(work, running);
  expect(await target.query(`select room from visits where room = 'waits'`)).toHaveLength(1);
  expect(await running.stop()).toBe(0);
}, 300_000);

test('a mapping that breaks stops its entity only; mended, it resumes', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  const { source, target } = pair;
  const broken = editedMapping(work, [
    `map: (root) => row({ id: ref('patient', root.id), office_id`,
    `map: (root) => root.name === 'later' ? rejected('no') : row({ id: ref('patient', root.id), office_id`,
  ]);
  await using bad = new TandemProcess(['run'], broken);
  await caughtUp(work, bad);
  await source.query(`update patient set name = 'later' where id between 100 and 200;
    update visit set room = 'still' where id = 10`);
  await caughtUp(work, bad);
  expect(await target.query(`select room from visits where room = 'still'`)).toHaveLength(1);
  expect((await work.run('status')).out).toMatch(
    /^not derived {2}patient: stopped since .*quarantine/m,
  );
  expect(await bad.stop()).toBe(0);
  await using good = new TandemProcess(['run'], work.environment);
  await caughtUp(work, good);
  const wrong = new Workplace(broken);
  expect((await wrong.run('resume', 'patient')).err).toContain(
    'the process that streams has another mapping of patient',
  );
  const resumed = await work.run('resume', 'patient', '--wait', '--timeout', '50s');
  expect({ ...resumed, log: good.output }).toMatchObject({ code: 0 });
  await expectAgreement(work, good);
  expect(await good.stop()).toBe(0);
}, 180_000);
