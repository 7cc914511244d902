import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { Random } from '../../demo/legacy/random.ts';
import type { TestDatabase } from './database.ts';

type Writers = AsyncDisposable & {
  readonly stop: () => Promise<void>;
  /** How many transactions were committed so far. */
  readonly committed: () => number;
};

/**
 * Two sessions that change rows at random, until stopped; a statement that a change of a table
 * refuses is left out.
 *
 * @param pauseMs between two transactions of a session
 */
export async function startWriters(
  source: TestDatabase,
  seed: number,
  pauseMs = 0,
): Promise<Writers> {
  const chance = new Random(seed);
  let over = false;
  let committed = 0;
  const clients = await Promise.all([source.client(), source.client()]);
  const loops = clients.map(async (client) => {
    while (!over) {
      await transaction(client, chance);
      committed++;
      if (pauseMs > 0) await pause(pauseMs);
    }
  });
  const stop = async () => {
    over = true;
    await Promise.all(loops);
  };
  return { stop, committed: () => committed, [Symbol.asyncDispose]: stop };
}

async function transaction(client: pg.Client, chance: Random): Promise<void> {
  await client.query('begin');
  for (let left = chance.int(1, 4); left > 0; left--) {
    await client.query('savepoint one');
    try {
      await client.query(statement(chance));
    } catch {
      await client.query('rollback to savepoint one');
    }
  }
  await client.query(chance.int(0, 9) === 0 ? 'rollback' : 'commit');
}

function statement(chance: Random): string {
  const patient = chance.int(1, 2_300);
  const visit = chance.int(1, 2_300);
  const office = chance.int(1, 220);
  switch (chance.int(0, 9)) {
    case 0:
      return `delete from patient where id = ${patient}`;
    case 1:
    case 2:
      return `insert into patient (id, office_id, story) values (${patient}, ${office}, repeat('n${chance.int(1, 99)}', 900))
        on conflict (id) do update set story = excluded.story`;
    case 3:
      return `update patient set height = ${chance.int(1, 99)} where id = ${patient}`;
    case 4:
      return `update patient set office_id = ${office} where id between ${patient} and ${patient + 5}`;
    case 5:
      return `update patient set id = ${chance.int(1, 2_300)} where id = ${patient}`;
    case 6:
      return `update office set note = 'note ${chance.int(1, 999)}' where id = ${office}`;
    case 7:
      return `insert into office (id, name) values (${office}, 'new ${office}') on conflict do nothing`;
    default:
      return `update visit set words = 'w ${chance.int(1, 999)}' where id = ${visit}`;
  }
}
