import { preparedRows } from '../connectors/postgres/connection.ts';
import { ident } from '../connectors/postgres/sql.ts';
import { keyParts, keyText, type MirrorTable } from '../core/mirror-table.ts';
import { rootTable, type Affected, type Roots } from './affected.ts';
import type { ApplyContext } from './apply-context.ts';
import { usageName, type Job } from './jobs.ts';
import { mirrorName } from './mirror-schema.ts';

/** Roots of a job that are derived together, in the job's order. */
type JobSlice = {
  readonly roots: Roots;
  /** The last of their keys; null: the job ends with them. */
  readonly last: string | null;
};

/** Keys are climbed to for so many slices at a time: each climb finds all of them, to sort them. */
const CLIMBED_SLICES = 4;

/**
 * The roots of a job behind those that are done, slice by slice; each is read when it is asked for.
 * Whoever reads holds the entity's lock.
 */
export async function* jobSlices(
  { client, model }: Pick<ApplyContext, 'client' | 'model'>,
  affected: Affected,
  job: Job,
  sliceRoots: number,
): AsyncGenerator<JobSlice> {
  const usage = model.usages.find(
    (candidate) => candidate.entity === job.entity && usageName(candidate) === job.usage,
  );
  // A way that the mapping does not know any more may have led to any of them.
  if (job.values === null || (job.usage !== null && usage === undefined)) {
    const root = rootTable(model, job.entity);
    for (let after = job.after; ;) {
      const roots = await rootsBehind({ client, root, after }, sliceRoots);
      after = roots.size < sliceRoots ? null : ([...roots.keys()].at(-1) ?? null);
      yield { roots, last: after };
      if (after === null) return;
    }
  }
  const { values } = job;
  const climbed = sliceRoots * CLIMBED_SLICES;
  for (let after = job.after; ;) {
    const keys =
      usage === undefined
        ? keysAfter(values, after).slice(0, climbed)
        : await affected.climb(client, usage, values, after, climbed);
    const isEnd = keys.length < climbed;
    for (let i = 0; i === 0 || i < keys.length; i += sliceRoots) {
      const some = keys.slice(i, i + sliceRoots);
      const isLast = isEnd && i + sliceRoots >= keys.length;
      yield { roots: unread(some), last: isLast ? null : (some.at(-1) ?? null) };
    }
    if (isEnd) return;
    after = keys.at(-1) ?? null;
  }
}

const keysAfter = (keys: readonly string[], after: string | null): readonly string[] =>
  keys.slice(after === null ? 0 : keys.indexOf(after) + 1);

const unread = (keys: readonly string[]): Roots => new Map(keys.map((key) => [key, undefined]));

/** Rows of a root table, in key order; deleted ones are null. */
async function rootsBehind(
  from: {
    readonly client: ApplyContext['client'];
    readonly root: MirrorTable;
    readonly after: string | null;
  },
  limit: number,
): Promise<Roots> {
  const { client, root, after } = from;
  const key = root.columns.slice(0, root.keyLength);
  const list = key.map(({ name }) => ident(name)).join(', ');
  const bound = key.map(({ type }, i) => `$${i + 2}::${type}`).join(', ');
  const rows = await preparedRows(
    client,
    `select _deleted, ${root.columns.map(({ name }) => ident(name)).join(', ')}
     from ${mirrorName(root)} ${after === null ? '' : `where (${list}) > (${bound})`}
     order by ${list} limit $1`,
    [limit, ...(after === null ? [] : keyParts(root, after))],
  );
  const roots: Roots = new Map();
  for (const [isDeleted, ...image] of rows) {
    roots.set(keyText(root, image), isDeleted === 't' ? null : image);
  }
  // Rows of the target may be there, and mostly are.
  roots.changed = new Set(roots.keys());
  return roots;
}
