import { expect, test } from 'vitest';
import type { MirrorProof } from '../../proof/mirror/verify-mirror.ts';
import { freshPair, type TestDatabase, type TestPair } from '../harness/database.ts';
import { tandem, TandemProcess, type Settings } from '../harness/tandem-process.ts';
import { smallWorkplace } from './cli-small-mapping.ts';
import type { Workplace } from './cli-run.ts';

const ROWS = 5000;
/** Rows that change all the time. */
const HOT = 5;
/** Rows up to here are changed by the writers, the others by the tests alone. */
const BUSY = 4000;

type Report = { readonly verdict: string; readonly mirror: MirrorProof };

async function filled(pair: TestPair): Promise<Workplace> {
  const work = await smallWorkplace(pair, { HEARTBEAT_SECONDS: '1', CHUNK_ROWS: '500' });
  await pair.source.query(`
    insert into office select i, 'office ' || i from generate_series(1, 50) i;
    insert into patient select i, i % 50 + 1, 'name ' || i, i % 100 from generate_series(1, ${ROWS}) i`);
  return work;
}

const settingsOf = (work: Workplace): Settings => ({
  ...work.environment,
  MAPPING: `${work.folder}/mapping.ts`,
});

/** Streams until the end of the test. */
async function streaming(work: Workplace): Promise<TandemProcess> {
  const child = new TandemProcess(['run'], settingsOf(work));
  const caughtUp = await tandem(['status', '--caught-up', '--timeout', '60s'], settingsOf(work));
  expect(caughtUp.code, `${caughtUp.output}${child.output}`).toBe(0);
  return child;
}

/** Writers that change, add and remove rows as fast as the server lets them. */
function writers(source: TestDatabase) {
  const over = new AbortController();
  let changes = 0;
  const loop = async (number: number, change: (i: number) => string) => {
    const client = await source.client();
    for (let i = number; !over.signal.aborted; i += 7) {
      await client.query(change(i));
      changes++;
    }
  };
  const work = Promise.all([
    loop(1, (i) => `update patient set name = 'hot ${i}' where id = ${(i % HOT) + 1}`),
    loop(2, (i) => `update patient set name = 'n ${i}' where id = ${(i % BUSY) + 1}`),
    loop(
      3,
      (i) => `insert into patient (id, name) values (${i + 10_000}, 'new');
        delete from patient where id = ${i + 10_000 - 70}`,
    ),
    // One that commits late: its rows lie far behind in the log when they can be seen.
    loop(
      4,
      (i) => `begin; update patient set height = ${i % 100} where id = ${((i * 13) % BUSY) + 1};
        select pg_sleep(0.05); update patient set id = id where id = ${HOT + 1 + (i % 20)}; commit`,
    ),
  ]);
  return {
    changes: () => changes,
    async [Symbol.asyncDispose]() {
      over.abort();
      await work;
    },
  };
}

async function verify(work: Workplace, ...argv: string[]): Promise<Report & { code: number }> {
  const { code, out, err } = await work.run('verify', '--json', ...argv);
  if (out === '') throw new Error(`verify printed nothing: ${err}`);
  return { code, ...(JSON.parse(out) as Report) };
}

const faultsOf = ({ mirror }: Report) => mirror.tables.flatMap(({ mismatches }) => mismatches);

test('while rows change as fast as they can, no fault is reported, however often it is asked', async () => {
  await using pair = await freshPair();
  using work = await filled(pair);
  await using _run = await streaming(work);
  let differing = 0;
  {
    await using load = writers(pair.source);
    const end = Date.now() + 20_000;
    for (let passes = 0; Date.now() < end || passes < 3; passes++) {
      const before = load.changes();
      const report = await verify(work);
      expect(faultsOf(report)).toEqual([]);
      expect(report.mirror.tables).toMatchObject([
        { notVerified: null, openRanges: 0 },
        { notVerified: null, openRanges: 0 },
      ]);
      // What stays open is hot, and named.
      const open = report.mirror.tables.flatMap(({ unsettled }) => unsettled.map(Number));
      expect(report.code).toBe(open.length > 0 ? 3 : 0);
      differing += open.length;
      expect(load.changes()).toBeGreaterThan(before + 20);
    }
  }
  const quiet = await verify(work);
  expect({ code: quiet.code, faults: faultsOf(quiet), differing }).toMatchObject({
    ...{ code: 0, faults: [] },
  });
}, 120_000);

test('a change that was lost under load is found, with its key and column, and nothing else', async () => {
  await using pair = await freshPair();
  using work = await filled(pair);
  await using run = await streaming(work);
  const { source, target } = pair;
  await source.query(`update patient set name = 'newer' where id in (4001, 4002, 4003)`);
  const caughtUp = await tandem(['status', '--caught-up', '--timeout', '30s'], settingsOf(work));
  expect(caughtUp.code, run.output).toBe(0);
  await using _load = writers(source);
  // Set back as if the change had never come: the old values under the old version.
  await target.query(`
    update legacy.patient set name = 'name 4002', _change_lsn = '0/0', _commit_lsn = (
      select _commit_lsn from legacy.patient where id = 4500) where id = 4002;
    delete from legacy.patient where id = 4003`);
  const found = await verify(work, '--table', 'patient');
  expect(found.code).toBe(1);
  expect(faultsOf(found)).toHaveLength(2);
  expect(faultsOf(found)).toEqual(
    expect.arrayContaining([
      { key: ['4002'], kind: 'different', columns: ['name'] },
      { key: ['4003'], kind: 'missing', columns: [] },
    ]),
  );
}, 120_000);

test('without a stream, ranges that agree are proved and the others are left open, with the reason', async () => {
  await using pair = await freshPair();
  using work = await filled(pair);
  {
    await using _run = await streaming(work);
  }
  const clean = await verify(work);
  expect(clean.verdict, JSON.stringify(clean)).toBe('agrees');
  await pair.source.query(`update patient set name = 'not streamed' where id = 77`);
  const report = await verify(work, '--wait', '500ms');
  expect(report).toMatchObject({ code: 3, verdict: 'unsettled' });
  const [, patients] = report.mirror.tables;
  expect(patients).toMatchObject({ rows: ROWS, openRanges: 1, mismatches: [] });
  expect(patients?.reason).toMatch(/^the stream does not move: it stands at /);
}, 60_000);
