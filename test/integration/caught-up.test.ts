import { expect, test } from 'vitest';
import { hasCaughtUp } from '../../monitoring/lag.ts';
import { freshPair } from '../harness/database.ts';
import { smallWorkplace } from './cli-small-mapping.ts';

test('nothing is caught up with before the copy and the derive are complete, wherever the slot began', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await pair.source.query(`insert into office select i, 'o' from generate_series(1, 10) i`);
  // Asked before the slot is made, as `tandem run` in another window would make it.
  const [asked] = await pair.source.query('select pg_current_wal_insert_lsn()::text as lsn');
  expect(await work.run('setup')).toMatchObject({ code: 0 });
  const wanted = { tables: ['office', 'patient'], entities: ['office', 'patient'] };
  const ask = async () =>
    hasCaughtUp(await pair.target.client(), 'tandem', String(asked?.['lsn']), wanted);
  expect(await ask()).toBe(false);
  expect(await work.run('backfill')).toMatchObject({ code: 0 });
  await pair.target.query('update tandem.position set position = pg_lsn(position) + 100000000');
  expect(await ask()).toBe(true);
  for (const [undo, redo] of [
    ['update tandem.entity set derived_at = null', 'update tandem.entity set derived_at = now()'],
    [
      `update tandem.mirror set read_until = 'FFFFFFFF/0'`,
      'update tandem.mirror set read_until = null',
    ],
    ['update tandem.mirror set loaded_at = null', 'update tandem.mirror set loaded_at = now()'],
  ] as const) {
    await pair.target.query(undo);
    expect(await ask(), undo).toBe(false);
    await pair.target.query(redo);
    expect(await ask(), redo).toBe(true);
  }
});
