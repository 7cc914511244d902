import { DERIVED, type Bench } from './bench.ts';
import { execute, withClient } from './database.ts';
import { copyTargets } from './floor-derive.ts';
import { compared, perSecond, type Line, type Measured } from './report.ts';
import { median } from './statistics.ts';
import { countTargets, dropForeignKeys, exportTargets, TARGET_TABLES } from './target-copies.ts';
import type { WorkerReport } from './worker-task.ts';

const OURS = 'bench_derive';
const GOAL = 0.6;

/**
 * Stage 2, mirror to target, against the server's own COPY of the same rows. Ours is the whole of
 * it: reading roots and relations, mapping, writing, indexes, statistics, looking for parents that
 * are missing, foreign keys.
 */
export async function measureDerive(bench: Bench): Promise<Measured> {
  const { world } = bench;
  const loaded = await bench.loaded();
  const rows = await withClient(world.targetUrl(DERIVED), async (client) => {
    await exportTargets(client, world.folder);
    return {
      all: await countTargets(client, TARGET_TABLES),
      tasks: await countTargets(client, ['tasks']),
    };
  });
  const rounds = await bench.rounds('derive', async (number) => {
    const url = await world.clone(OURS, loaded);
    const all = await bench.engine(`derive-all-${number}`, url, { kind: 'backfill' });
    await forgetTasks(url);
    const tasks = await bench.engine(`derive-tasks-${number}`, url, { kind: 'backfill' });
    await withClient(url, async (client) => {
      const found = await countTargets(client, TARGET_TABLES);
      if (found !== rows.all) throw new Error(`${found} rows derived, not ${rows.all}`);
    });
    return {
      ours: { all, tasks },
      copy: await copyTargets(bench, { foreignKeys: true }),
      copyWithoutForeignKeys: await copyTargets(bench, { foreignKeys: false }),
    };
  });
  await world.drop(OURS);

  const line = (part: 'all' | 'tasks', withKeys: boolean): Line =>
    compared({
      what: `stage 2: ${part === 'all' ? 'all entities' : 'tasks alone'}, ${withKeys ? 'with' : 'without'} foreign keys`,
      oursSeconds: median(
        rounds.map(
          ({ ours }) => ours[part].seconds - (withKeys ? 0 : foreignKeySeconds(ours[part])),
        ),
      ),
      floorSeconds: median(
        rounds.map((round) => (withKeys ? round.copy : round.copyWithoutForeignKeys)[part]),
      ),
      describe: perSecond(rows[part], 'rows'),
      goal: GOAL,
    });
  return {
    lines: [line('tasks', true), line('tasks', false), line('all', true), line('all', false)],
    facts: { rows, rounds },
  };
}

/** As if `tasks` had never been derived. What points at it would have to be emptied too. */
export async function forgetTasks(url: string): Promise<void> {
  await withClient(url, (client) => dropForeignKeys(client, 'tasks'));
  const lists = ['held', 'unresolved', 'excluded', 'quarantine', 'issue'];
  await execute(
    url,
    [
      'truncate public.tasks',
      ...lists.map((list) => `delete from tandem.${list} where entity = 'task'`),
      `update tandem.entity set derived_at = null where name = 'task'`,
    ].join(';\n'),
  );
}

/** Making foreign keys again is the last step, and nothing runs beside it. */
function foreignKeySeconds({ told }: WorkerReport): number {
  const ms = told
    .filter(({ name, facts }) => name === 'made again' && facts['what'] === 'foreign_key')
    .map(({ facts }) => Number(facts['ms']));
  return ms.reduce((sum, each) => sum + each, 0) / 1000;
}
