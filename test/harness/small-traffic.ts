import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { Random } from '../../demo/legacy/random.ts';
import type { TestDatabase } from './database.ts';
import { MAKERS, type Maker } from './small-history.ts';

/** Keys of each table; they come and go. */
const KEYS = 40;

type Traffic = AsyncDisposable & {
  /** Ends it; returns how many transactions were committed. */
  end(): Promise<number>;
  readonly committed: number;
};

/**
 * An application that writes into the small legacy schema: inserts, updates that leave the large
 * value alone, deletes, changes of the key; a tenth of the transactions is rolled back.
 */
export function startSmallTraffic(
  source: TestDatabase,
  options: {
    readonly seed: number;
    readonly perSecond: number;
    /** Connects again where the server goes down; otherwise that is an error. */
    readonly reconnects?: boolean;
  },
): Traffic {
  const { seed, perSecond, reconnects = false } = options;
  const chance = new Random(seed);
  let isOver = false;
  const state = { committed: 0 };
  const write = async () => {
    const client = await source.client();
    try {
      while (!isOver) {
        if (await writeTransaction(client, chance)) state.committed++;
        await pause(1000 / perSecond);
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const work = async () => {
    while (!isOver) {
      try {
        await write();
      } catch (error) {
        if (!reconnects) throw error;
        await pause(200);
      }
    }
  };
  const done = work();
  // Its failure is thrown by `end`.
  done.catch(() => undefined);
  const end = async () => {
    isOver = true;
    await done;
    return state.committed;
  };
  return {
    end,
    get committed() {
      return state.committed;
    },
    [Symbol.asyncDispose]: async () => void (await end()),
  };
}

/** Rows for every table, without deletions. */
export async function fillSmall(source: TestDatabase, seed: number): Promise<void> {
  const chance = new Random(seed);
  for (const maker of MAKERS) {
    for (let key = 1; key <= KEYS; key++) {
      const { text, values } = upsert(maker, key, randomValues(chance), chance);
      await source.query(text, values);
    }
  }
}

async function writeTransaction(client: pg.Client, chance: Random): Promise<boolean> {
  await client.query('begin');
  try {
    for (let i = chance.int(1, 5); i > 0; i--) {
      const { text, values } = randomStatement(chance);
      await client.query(text, values);
    }
    const isKept = !chance.chance(0.1);
    await client.query(isKept ? 'commit' : 'rollback');
    return isKept;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    // A key that was moved to one that is taken.
    if ((error as { code?: unknown }).code === '23505') return false;
    throw error;
  }
}

type Statement = { readonly text: string; readonly values: unknown[] };

const randomValues = (chance: Random) => Array.from({ length: 5 }, () => chance.int(0, 5));

function randomStatement(chance: Random): Statement {
  const maker = chance.weighted(MAKERS.map((each) => [each.weight, each] as const));
  const key = chance.int(1, KEYS);
  return chance.weighted<() => Statement>([
    [7, () => upsert(maker, key, randomValues(chance), chance)],
    [2, () => remove(maker, key)],
    [1, () => move(maker, key, chance.int(1, KEYS))],
  ])();
}

function upsert(maker: Maker, n: number, random: readonly number[], chance: Random): Statement {
  const key = maker.key(n);
  const rest = { ...maker.rest(random) };
  // Now and then one that is stored out of line, which an update that leaves it alone does not send.
  if (maker.large !== null && chance.chance(0.2)) rest[maker.large] = chance.hex(6_000);
  const columns = Object.keys({ ...key, ...rest });
  const changed = Object.keys(rest).filter((name) => name !== maker.large || chance.chance(0.5));
  const set = changed.map((name) => `${name} = excluded.${name}`).join(', ');
  return {
    text: `insert into ${maker.table} (${columns.join(', ')})
      values (${columns.map((_, i) => `$${i + 1}`).join(', ')})
      on conflict (${Object.keys(key).join(', ')}) do ${set === '' ? 'nothing' : `update set ${set}`}`,
    values: Object.values({ ...key, ...rest }),
  };
}

const isKey = (maker: Maker, from = 0) =>
  Object.keys(maker.key(1))
    .map((name, i) => `${name} = $${from + i + 1}`)
    .join(' and ');

function remove(maker: Maker, n: number): Statement {
  return {
    text: `delete from ${maker.table} where ${isKey(maker)}`,
    values: Object.values(maker.key(n)),
  };
}

function move(maker: Maker, from: number, to: number): Statement {
  const next = maker.key(to);
  const names = Object.keys(next);
  return {
    text: `update ${maker.table} set ${names.map((name, i) => `${name} = $${i + 1}`).join(', ')}
      where ${isKey(maker, names.length)}`,
    values: [...Object.values(next), ...Object.values(maker.key(from))],
  };
}
