import { expect, test } from 'vitest';
import { freshPrefix } from '../harness/kafka-stack.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallPath } from '../harness/small-path.ts';
import { StatementProxy, type Stop } from '../harness/statement-proxy.ts';

// What `killed-at-a-step.test.ts` does to a stream from the slot, for one that comes through a log.

type Step = Stop & { readonly name: string };

const step = (when: Stop['when'], name: string, at: RegExp, behind?: RegExp): Step => ({
  ...{ name: `${when} ${name}`, at, when },
  ...(behind === undefined ? {} : { behind }),
});

const FENCE = /tandem\.fence_log/;
const MERGE = /(insert into|update) "?legacy"?\."?patient"? as mirror/;
const DERIVE = /(update|insert into) "?public"?\."?patients"? /;
const JOURNAL = /insert into "?public"?\."?status_changes"? /;

const STEPS: readonly Step[] = [
  step('before', 'the transaction', /^begin$/),
  step('before', 'the fence', FENCE),
  step('after', 'the fence', FENCE),
  step('before', 'the merge', MERGE),
  step('before', 'the locks', /tandem\.lock/, MERGE),
  step('before', 'a write of the derive', DERIVE, MERGE),
  step('before', 'the journal', JOURNAL),
  step('before', 'the commit', /^commit$/, MERGE),
  step('after', 'the commit', /^commit$/, MERGE),
  step('before', 'the position of the whole', /position = greatest/),
  step('after', 'the position of the whole', /position = greatest/),
];

test('a consumer killed at any step of a batch goes on with all of it or nothing, the journal too', async () => {
  await using open = await SmallPath.open('debezium-json', { seed: newSeed() });
  const { world } = open;
  await world.source.query(`
    update auth_user set name = 'eva' where id <= 5;
    update patient set user_id = 1 where id in (3, 5, 6);
    update instruction set patient_id = 3 where id = 7`);
  await using proxy = await StatementProxy.start(world.target.connectionString);
  // A group of its own for each: nobody waits until the one that was killed is given up. Where to
  // begin is the target's to say.
  const run = () =>
    open.run({
      TARGET_URL: proxy.through(world.target.connectionString),
      KAFKA_GROUP: freshPrefix(),
    });
  let child = run();
  try {
    await world.caughtUp(child, 120_000);
    await world.watchJournal();
    for (const [i, at] of STEPS.entries()) {
      const reached = proxy.stopAt(at);
      await world.source.query(`begin;
        update auth_user set name = 'n${i}' where id = 1;
        update instruction set status = (status + 1) % 6, notes = 'n${i}' where id = 7;
        update patient set note = 'n${i}' where id = 3;
        commit`);
      await child.during(reached, at.name);
      await child.stop('SIGKILL');
      child = run();
      await world.caughtUp(child);
      expect(await world.query(`select from patients where note = 'n${i}'`)).toHaveLength(1);
      await world.expectAgreement(at.name);
      await world.expectJournal(at.name);
    }
  } finally {
    await child.stop('SIGKILL');
  }
}, 300_000);
