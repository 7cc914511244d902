import { expect, test } from 'vitest';
import { readStatus } from '../../monitoring/status.ts';
import { statusLines } from '../../cli/status-lines.ts';
import { openClient } from '../../connectors/postgres/connection.ts';
import { journalGaps } from '../../monitoring/journal-gaps.ts';
import { DriftBench } from '../harness/drift-bench.ts';
import { JOURNALED } from '../harness/drift-mapping.ts';
import { waitFor } from '../harness/wait-for.ts';

const names = async (bench: DriftBench) =>
  (await bench.target.query('select name_after as name from office_changes order by 1')).map(
    (row) => row['name'],
  );

async function status(bench: DriftBench) {
  const { source, target, stream, slot } = bench.config();
  const from = await openClient(source, 'test');
  const to = await openClient(target, 'test');
  try {
    const place = { source: from, target: to, stream, slot };
    return await readStatus({ ...place, mapping: JOURNALED });
  } finally {
    await Promise.all([from.end(), to.end()]);
  }
}

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`;

test('what a journal missed while its table was stopped is listed, with the time', async () => {
  await using bench = await DriftBench.open();
  await using running = await bench.run(JOURNALED);
  await bench.caughtUp();
  expect((await status(bench)).journalGaps).toEqual([]);
  await bench.source.query(`update office set name = 'seen' where id = 1`);
  await bench.caughtUp();
  await bench.source.query('alter table office rename column note to remark');
  await bench.source.query(`update office set name = 'missed' where id = 1`);
  await bench.state('office', 'stopped');
  const open = await waitFor(
    async () => {
      const { journalGaps: gaps } = await status(bench);
      return gaps.length > 0 ? gaps : null;
    },
    { what: 'the gap' },
  );
  expect(open).toHaveLength(1);
  expect(open[0]?.text).toMatch(
    new RegExp(`^changes from ${TIME} on are missing: table office: .*note`),
  );
  await bench.source.query('alter table office rename column remark to note');
  await bench.state('office', 'active');
  // The journal goes on with the session after the one that has read the table.
  await waitFor(
    async () => / to \S+ are missing/.test((await status(bench)).journalGaps[0]?.text ?? ''),
    { what: 'the gap to end' },
  );
  await bench.source.query(`update office set name = 'seen again' where id = 1`);
  await waitFor(async () => (await names(bench)).includes('seen again'), {
    timeoutMs: 20_000,
    what: 'the journal to go on',
  });
  expect(await names(bench)).toEqual(['seen', 'seen again']);
  const read = await status(bench);
  expect(read.journalGaps).toMatchObject([{ journal: 'office_change' }]);
  expect(read.journalGaps[0]?.text).toMatch(
    new RegExp(`^changes from ${TIME} to ${TIME} are missing: table office`),
  );
  expect(statusLines(read, null).filter((line) => line.startsWith('journal gap'))).toHaveLength(1);
  await running.stop();
}, 60_000);

test('a slot that is made anew leaves a gap in the journals, until the tables are read again', async () => {
  await using bench = await DriftBench.open();
  {
    await using running = await bench.run(JOURNALED);
    await bench.caughtUp();
    await bench.source.query(`update office set name = 'seen' where id = 1`);
    await bench.caughtUp();
    await running.stop();
  }
  await bench.source.query(`update office set name = 'missed' where id = 1`);
  await bench.setUp(JOURNALED, false, 'replace');
  const client = await openClient(bench.config().target, 'test');
  try {
    const [gap] = await journalGaps(client, JOURNALED);
    expect(gap?.text).toMatch(
      new RegExp(`^changes from ${TIME} on are missing: the slot was made anew`),
    );
    await using again = await bench.run(JOURNALED);
    await bench.caughtUp();
    const [closed] = await journalGaps(client, JOURNALED);
    expect(closed?.text).toMatch(new RegExp(`^changes from ${TIME} to ${TIME} are missing`));
    expect(await names(bench)).toEqual(['seen']);
    await again.stop();
  } finally {
    await client.end();
  }
}, 60_000);
