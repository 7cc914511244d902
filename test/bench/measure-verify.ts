import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import { qualified, ident } from '../../connectors/postgres/sql.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import { readUsages } from '../../core/usage.ts';
import mapping from '../../transforms/mapping.ts';
import { DERIVED, type Bench } from './bench.ts';
import { execute, valueOf, withClient } from './database.ts';
import { compared, limited, MEMORY_LIMIT_MB, perSecond, type Measured } from './report.ts';
import { runTandem } from './run-tandem.ts';
import { median } from './statistics.ts';

const OURS = 'bench_verify';
const GOAL = 0.5;

/**
 * Mirror against source, against what a person would type: `sum` of a hash of each row, over the
 * same columns, on one server alone; the slower of the two counts. Ours asks both at once, on the
 * same cores. Without the start of the process, which is the same for ten rows and ten million.
 */
export async function measureVerify(bench: Bench): Promise<Measured> {
  const { world } = bench;
  const target = await world.clone(OURS, DERIVED);
  // Nobody streams here, and nobody has written since the copy: the stream has nothing to bring.
  const end = await valueOf(world.sourceUrl, 'select pg_current_wal_insert_lsn()');
  await execute(target, `update tandem.position set position = '${end}'`);
  const checksums = await plainChecksums(world.sourceUrl);
  const rounds = await bench.rounds('verify', async () => {
    await world.settle();
    const { log, peakMemoryBytes, seconds } = await runTandem(world, ['verify'], target);
    const done = log.find(({ event }) => event === 'mirror verified');
    const source = await secondsOf(world.sourceUrl, checksums.source);
    const mirror = await secondsOf(target, checksums.mirror);
    return {
      rows: Number(done?.['rows']),
      ours: Number(done?.['ms']) / 1000,
      ...{ processSeconds: seconds, peakMemoryBytes, floor: { source, mirror } },
    };
  });
  await world.drop(OURS);
  const rows = rounds[0]?.rows ?? 0;
  const side = (name: 'source' | 'mirror') => median(rounds.map(({ floor }) => floor[name]));
  const peak = Math.max(...rounds.map(({ peakMemoryBytes }) => peakMemoryBytes ?? 0));
  return {
    lines: [
      compared({
        what: 'verify: mirror against source, beside a checksum of the slower one alone',
        oursSeconds: median(rounds.map(({ ours }) => ours)),
        floorSeconds: Math.max(side('source'), side('mirror')),
        describe: perSecond(rows, 'rows'),
        goal: GOAL,
      }),
      limited({
        what: 'verify: peak memory',
        value: peak === 0 ? null : peak / 1024 / 1024,
        unit: 'MB',
        limit: MEMORY_LIMIT_MB,
      }),
    ],
    facts: { rows, rounds },
  };
}

type Checksums = { readonly source: readonly string[]; readonly mirror: readonly string[] };

async function plainChecksums(sourceUrl: string): Promise<Checksums> {
  const wanted = [...readUsages(mapping).tables].map(
    ([name, { key, columns }]) => [name, { key, columns: [...columns] }] as const,
  );
  const tables = await withClient(sourceUrl, (client) => mirrorTables(client, new Map(wanted)));
  const checksum = (names: readonly string[], from: string) =>
    `select count(*), sum(hashtextextended(row(${names.join(', ')})::text, 0)) from ${from}`;
  const all = [...tables.values()].map((table) => ({
    table,
    names: table.columns.map(({ name }) => ident(name)),
  }));
  return {
    source: all.map(({ table, names }) => checksum(names, qualified(table.schema, table.relation))),
    mirror: all.map(({ table, names }) => checksum(names, mirrorName(table))),
  };
}

async function secondsOf(url: string, statements: readonly string[]): Promise<number> {
  return withClient(url, async (client) => {
    const start = performance.now();
    for (const sql of statements) await client.query(sql);
    return (performance.now() - start) / 1000;
  });
}
