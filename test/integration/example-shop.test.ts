import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../cli/commands.ts';
import { trade } from '../../examples/shop/traffic.ts';
import { freshPair, type TestPair } from '../harness/database.ts';
import { TandemProcess, tandem } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import { Workplace } from './cli-run.ts';
import { SHOP_TABLES, compareTable, prepareSource } from './example-shop-expected.ts';

const SHOP = join(import.meta.dirname, '..', '..', 'examples', 'shop');
const MAPPING = ['--mapping', join(SHOP, 'mapping.ts')];

/** Many processes one after the other, on a machine that may be busy. */
const LIMIT_MS = 240_000;

/** When a command is tried: one after the other. */
type Moment = 'empty' | 'set up' | 'streaming' | 'stopped';

type Trial = {
  readonly when: Moment;
  readonly command: string;
  readonly args?: readonly string[];
  /** Of the lines on stdout. */
  readonly prints: RegExp;
};

/**
 * How each command is tried with the shop. Those of one moment run in the order in which they stand
 * here. A new command needs a line, or more.
 */
const TRIALS: readonly Trial[] = [
  { when: 'empty', command: 'init', prints: /wrote mapping.legacy\.ts\nthe source has 8 tables/ },
  { when: 'empty', command: 'config', prints: /examples\/shop\/mapping\.ts/ },
  { when: 'empty', command: 'check', prints: /ok +shop +7 entities[^]*, 0 failures/ },
  { when: 'empty', command: 'setup', prints: /20260101000000_shop\.sql/ },
  { when: 'set up', command: 'backfill', args: ['--dry-run'], prints: /shop_orderitem/ },
  { when: 'set up', command: 'backfill', prints: /backfill complete/ },
  { when: 'streaming', command: 'run', prints: /"streaming"/ },
  { when: 'streaming', command: 'status', args: ['--caught-up'], prints: /caught up/ },
  { when: 'streaming', command: 'status', prints: /phase +streaming[^]*order_line/ },
  { when: 'streaming', command: 'quarantine', prints: /MAPPING_REJECTED_ROW/ },
  { when: 'streaming', command: 'held', prints: /held/ },
  { when: 'streaming', command: 'unresolved', prints: /unresolved|no reference/ },
  { when: 'streaming', command: 'issues', prints: /status: code 9 has no name/ },
  { when: 'streaming', command: 'pause', args: ['customer'], prints: /customer/ },
  { when: 'streaming', command: 'status', prints: /customer[^]*paused/ },
  { when: 'streaming', command: 'resume', args: ['customer', '--wait'], prints: /customer/ },
  { when: 'streaming', command: 'reprocess', args: ['--all', '--dry-run'], prints: /order/ },
  {
    when: 'streaming',
    command: 'reprocess',
    args: ['--entity', 'order', '--wait'],
    prints: /order/,
  },
  { when: 'streaming', command: 'verify', prints: /: AGREES/ },
  { when: 'stopped', command: 'status', prints: /phase +stopped/ },
  { when: 'stopped', command: 'teardown', args: ['--yes'], prints: /dropped slot/ },
];

/** Those that need Kafka are tried in test/kafka/shop.test.ts. */
const THROUGH_KAFKA = ['connector', 'relay'];

test('every command is tried with the shop', () => {
  const tried = new Set([...TRIALS.map(({ command }) => command), ...THROUGH_KAFKA]);
  expect([...tried].sort()).toEqual(COMMANDS.map(({ name }) => name).sort());
});

test('every command works with the shop', { timeout: LIMIT_MS }, async () => {
  await using pair = await freshPair();
  using work = await openShop(pair);
  const attempt = async (when: Moment): Promise<void> => {
    for (const { command, args = [], prints } of TRIALS.filter((it) => it.when === when)) {
      // It is the one that does not end by itself.
      if (command === 'run') continue;
      const { code, out, err } = await work.run(command, ...args, ...MAPPING);
      expect({ command, code, err, out }).toMatchObject({
        code: 0,
        out: expect.stringMatching(prints) as unknown,
      });
    }
  };
  await attempt('empty');
  await attempt('set up');
  {
    await using running = new TandemProcess(['run', ...MAPPING], work.environment);
    const run = TRIALS.find(({ command }) => command === 'run');
    const isUp = async () => run?.prints.test(running.output) === true;
    await waitFor(isUp, { timeoutMs: 30_000, what: 'the stream to begin' });
    await attempt('streaming');
    expect(await running.stop()).toBe(0);
  }
  await attempt('stopped');
});

test(
  'the target has what the legacy shop says, value by value, after the copy and after a busy day',
  { timeout: LIMIT_MS },
  async () => {
    await using pair = await freshPair();
    using work = await openShop(pair);
    expect(await work.run('setup', ...MAPPING)).toMatchObject({ code: 0 });
    expect(await work.run('backfill', ...MAPPING)).toMatchObject({ code: 0 });
    await prepareSource(pair.source, pair.target);
    await expectSame(pair);
    expect(await accountOf(work)).toEqual({
      customer: 'applied 3, excluded 1',
      note: 'applied 3, excluded 3',
      category: 'applied 3',
      product: 'applied 4',
      product_category: 'applied 5',
      order: 'applied 3, quarantined 1, excluded 1',
      order_line: 'applied 4, held 1, excluded 1',
    });
    await pair.target.query('update customers set loyalty_points = 7');

    await using running = new TandemProcess(['run', ...MAPPING], work.environment);
    await trade(await pair.source.client(), { seed: 11, transactions: 600 });
    const settings = { ...work.environment, MAPPING: MAPPING[1] ?? '' };
    const caughtUp = await tandem(['status', '--caught-up', '--timeout', '40s'], settings);
    expect({ ...caughtUp, log: running.output }).toMatchObject({ code: 0 });
    await expectSame(pair);
    const points = await pair.target.query('select sum(loyalty_points)::int as sum from customers');
    expect(points).toEqual([{ sum: 21 }]);
    expect(await running.stop()).toBe(0);
  },
);

async function openShop({ source, target }: TestPair): Promise<Workplace> {
  await source.query(readFileSync(join(SHOP, 'legacy.sql'), 'utf8'));
  return new Workplace({
    SOURCE_URL: source.connectionString,
    TARGET_URL: target.connectionString,
    TANDEM_SLOT: source.name,
    HEARTBEAT_SECONDS: '1',
    LOG_FORMAT: 'json',
  });
}

async function expectSame(pair: TestPair): Promise<void> {
  for (const table of SHOP_TABLES) {
    const { expected, found } = await compareTable(table, pair);
    expect(expected.length, `rows of ${table}`).toBeGreaterThan(0);
    expect(found, table).toEqual(expected);
  }
}

type Account = Readonly<Record<'applied' | 'held' | 'quarantined' | 'difference', number>> & {
  readonly entity: string;
  readonly excluded: Readonly<Record<string, number>>;
};

/** What became of the rows, as `tandem status --json` counts them; nothing of what is 0. */
async function accountOf(work: Workplace): Promise<Record<string, string>> {
  const { out } = await work.run('status', '--json', ...MAPPING);
  const { entities } = JSON.parse(out) as { entities: readonly Account[] };
  return Object.fromEntries(
    entities.map(({ entity, applied, held, quarantined, difference, excluded }) => {
      const left = Object.values(excluded).reduce((sum, count) => sum + count, 0);
      const counts = { applied, held, quarantined, excluded: left, difference };
      const told = Object.entries(counts).filter(([, count]) => count !== 0);
      return [entity, told.map(([name, count]) => `${name} ${count}`).join(', ')];
    }),
  );
}
