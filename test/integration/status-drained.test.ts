import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import { smallWorkplace } from './cli-small-mapping.ts';

test('drained is a target that stands where the slot is confirmed, when nobody reads it', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const drained = () => work.run('status', '--drained', '--timeout', '1s');
  expect((await drained()).out).toContain('there is no slot');
  await work.run('setup');
  await pair.source.query(`insert into office values (1, 'one')`);
  expect((await drained()).code).toBe(0); // what waits in the slot is not the question

  await pair.source.query('select pg_replication_slot_advance($1, pg_current_wal_lsn())', [
    pair.source.name,
  ]);
  const ahead = await drained();
  expect(ahead.code).toBe(3);
  expect(ahead.out).toMatch(/not drained after 1 s: the target stands at \w+\/\w+, the slot at/);
});

test('a slot that somebody reads is not drained, and the process is named', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await using _ = new TandemProcess(['run'], {
    ...work.environment,
    MAPPING: join(work.folder, 'mapping.ts'),
  });
  const isRead = async () =>
    (
      await pair.source.query(
        'select 1 from pg_replication_slots where slot_name = $1 and active',
        [pair.source.name],
      )
    ).length > 0;
  await waitFor(isRead, { what: 'the slot to be read' });
  const { code, out } = await work.run('status', '--drained', '--timeout', '1s');
  expect(code).toBe(3);
  expect(out).toMatch(/process \d+ reads the slot; stop relay or connector first/);
});
