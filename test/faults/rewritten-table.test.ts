import { expect, test } from 'vitest';
import { newSeed } from '../harness/seed.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { StatementProxy } from '../harness/statement-proxy.ts';
import { waitFor } from '../harness/wait-for.ts';

/** A column that nobody reads; a default that is another for each row takes the table anew. */
const REWRITE = 'alter table patient add column token uuid default gen_random_uuid()';

test('a table that is rewritten while its copy waits for it is copied with all its rows', async () => {
  await using world = await SmallWorld.open({ seed: newSeed() });
  await using proxy = await StatementProxy.start(world.source.connectionString);
  const first = proxy.stopAt({ at: /^(select|copy \(select) .*"patient" where/s, when: 'before' });
  await using child = world.run({ SOURCE_URL: proxy.through(world.source.connectionString) });
  const copy = await child.during(first, 'the first statement of a copy');
  const session = await world.source.client();
  await session.query(`begin; ${REWRITE}`);
  copy.release();
  const waits = async () => {
    const waiting = await world.source.query(`select from pg_locks
      where relation = 'patient'::regclass and not granted`);
    return waiting.length > 0;
  };
  await child.during(waitFor(waits, { what: 'the copy to wait', timeoutMs: 30_000 }), 'a wait');
  await session.query('commit');
  await world.caughtUp(child);
  await world.expectAgreement();
  expect(await child.stop('SIGTERM')).toBe(0);
}, 120_000);
