import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { Affected } from '../../consumers/affected.ts';
import { usageName } from '../../consumers/jobs.ts';
import type { Model } from '../../consumers/model.ts';

/** More of one entity are not kept: then all its roots count as pending. */
const MOST = 200_000;

/** The roots that open jobs will derive again, by entity; 'all' where there are too many to name. */
export type PendingRoots = {
  readonly openJobs: number;
  readonly of: (entity: string) => 'all' | ReadonlySet<string>;
};

/**
 * Follows every open job to the roots that it has yet to derive, as the job itself will: what a
 * change made stale lies on that way, or on the way of a later change.
 */
export async function readPendingRoots(client: pg.ClientBase, model: Model): Promise<PendingRoots> {
  const jobs = await textRows(
    client,
    'select entity, usage, array_to_json(values), after_key from tandem.job order by id',
  );
  const affected = new Affected(model, MOST);
  const pending = new Map<string, 'all' | Set<string>>();
  for (const [entity = '', usage, list, after] of jobs) {
    if (entity === null || !model.entity.has(entity)) continue;
    let roots = pending.get(entity) ?? new Set<string>();
    const way = model.usages.find((it) => it.entity === entity && usageName(it) === usage);
    const values = list == null ? null : (JSON.parse(list) as string[]);
    if (roots !== 'all' && values !== null && (way !== undefined || usage === null)) {
      const found =
        way === undefined
          ? values.slice(after == null ? 0 : values.indexOf(after) + 1)
          : await affected.climb(client, way, values, after ?? null, MOST + 1);
      for (const root of found) roots.add(root);
      if (roots.size > MOST) roots = 'all';
    } else {
      roots = 'all';
    }
    pending.set(entity, roots);
  }
  return { openJobs: jobs.length, of: (entity) => pending.get(entity) ?? NONE };
}

const NONE: ReadonlySet<string> = new Set();
