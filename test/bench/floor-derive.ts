import type { Bench } from './bench.ts';
import { withClient } from './database.ts';
import { dropForeignKeys, emptyTargets, importTargets, TARGET_TABLES } from './target-copies.ts';
import { EMPTY } from './world.ts';

const FLOOR = 'bench_derive_floor';

type CopySeconds = { readonly all: number; readonly tasks: number };

/**
 * The finished rows by the server's own COPY, from files of its own, into the very tables that the
 * migrations made, all indexes in place: all tables, and `tasks` once more beside the others.
 */
export async function copyTargets(
  bench: Bench,
  { foreignKeys }: { readonly foreignKeys: boolean },
): Promise<CopySeconds> {
  const { world } = bench;
  const url = await world.clone(FLOOR, EMPTY);
  const seconds = await withClient(url, async (client) => {
    if (!foreignKeys) await dropForeignKeys(client, null);
    await emptyTargets(client);
    await world.settle();
    const all = await importTargets(client, world.folder, TARGET_TABLES);
    await dropForeignKeys(client, 'tasks');
    await client.query('truncate public.tasks');
    await world.settle();
    const tasks = await importTargets(client, world.folder, ['tasks']);
    return { all, tasks };
  });
  await world.drop(FLOOR);
  return seconds;
}
