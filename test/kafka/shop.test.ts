import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trade } from '../../examples/shop/traffic.ts';
import { freshPair } from '../harness/database.ts';
import { openPath } from '../harness/paths.ts';
import { tandem, TandemProcess } from '../harness/tandem-process.ts';
import { compareTable, prepareSource, SHOP_TABLES } from '../integration/example-shop-expected.ts';

const SHOP = join(import.meta.dirname, '..', '..', 'examples', 'shop');

test.each(['relay-json', 'debezium-avro'] as const)(
  'another pair of databases, through %s: the shop is right after a busy day',
  async (path) => {
    await using pair = await freshPair();
    const { source, target } = pair;
    await source.query(readFileSync(join(SHOP, 'legacy.sql'), 'utf8'));
    await using way = await openPath(path, {
      SOURCE_URL: source.connectionString,
      TARGET_URL: target.connectionString,
      TANDEM_SLOT: source.name,
      MAPPING: join(SHOP, 'mapping.ts'),
      HEARTBEAT_SECONDS: '1',
    });
    const { settings, run } = way;
    await using running = new TandemProcess(run, settings);
    await prepareSource(source, target);
    await trade(await source.client(), { seed: 12, transactions: 300 });
    const caughtUp = await tandem(['status', '--caught-up', '--timeout', '60s'], settings);
    expect({ ...caughtUp, log: running.output }).toMatchObject({ code: 0 });
    for (const table of SHOP_TABLES) {
      const { expected, found } = await compareTable(table, pair);
      expect(expected.length, `rows of ${table}`).toBeGreaterThan(0);
      expect(found, table).toEqual(expected);
    }
    expect(await running.stop()).toBe(0);
  },
  120_000,
);
