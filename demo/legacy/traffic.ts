import pg from 'pg';
import { Random } from './random.ts';
import { ACTIVITIES } from './traffic/activities.ts';
import { readLivingRows } from './traffic/living-rows.ts';
import { Pace } from './traffic/pace.ts';
import { Tally, type TrafficReport } from './traffic/report.ts';
import { Session } from './traffic/session.ts';
import { taskBurst } from './traffic/tasks.ts';

export type { TrafficReport } from './traffic/report.ts';

type TrafficOptions = {
  readonly connectionString: string;
  readonly seed: number;
  readonly changesPerSecond: number;
  readonly signal: AbortSignal;
  /** Called after each commit with the number of changed rows. */
  readonly onTransaction?: (changes: number) => void;
  /** Default: one connection up to a thousand changes per second, two above. */
  readonly connections?: number;
  /** T66: after so many activities one transaction with so many tasks, beyond the rate. */
  readonly burst?: { readonly every: number; readonly tasks: number };
};

const ONE_CONNECTION_UP_TO = 1000;

/**
 * How far the sequences are whose tables have invented unique values. Part of the seed: traffic
 * that is started again on the same database must not invent the same names once more.
 */
async function issuedIds(client: pg.Client): Promise<string> {
  const { rows } = await client.query(
    `select string_agg(last_value::text, ' ' order by sequencename) as issued
     from pg_sequences where sequencename in ('auth_user_id_seq', 'dispatch_project_id_seq',
       'dispatch_file_id_seq', 'django_content_type_id_seq')`,
  );
  const [row] = rows as readonly { issued: string | null }[];
  return row?.issued ?? '';
}

async function openSession(
  options: TrafficOptions,
  share: { index: number; of: number },
  onTransaction: (changes: number) => void,
): Promise<{ client: pg.Client; session: Session }> {
  const client = new pg.Client({ connectionString: options.connectionString });
  await client.connect();
  const rows = await readLivingRows(client, share);
  const random = new Random(options.seed).fork(`traffic ${share.index} ${await issuedIds(client)}`);
  const session = new Session({ client, random, rows, isLeader: share.index === 0, onTransaction });
  return { client, session };
}

/** Two cascades that meet in a task of one and a file of the other. The victim was rolled back. */
function isDeadlock(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '40P01';
}

async function work(session: Session, options: TrafficOptions, pace: Pace): Promise<void> {
  for (let done = 1; !options.signal.aborted; done += 1) {
    const { burst } = options;
    if (burst !== undefined && session.isLeader && done % burst.every === 0) {
      await taskBurst(session, burst.tasks);
      pace.count(-burst.tasks);
    }
    await session.random
      .weighted(ACTIVITIES)(session)
      .catch((error: unknown) => {
        if (!isDeadlock(error)) throw error;
        session.rollbacks += 1;
      });
    await pace.next();
  }
}

function report(sessions: readonly Session[]): TrafficReport {
  const tally = new Tally();
  const traps = new Map<string, number>();
  let transactions = 0;
  let rolledBack = 0;
  for (const session of sessions) {
    tally.addAll(session.tally);
    transactions += session.transactions;
    rolledBack += session.rollbacks;
    for (const [trap, hits] of session.traps) traps.set(trap, (traps.get(trap) ?? 0) + hits);
  }
  return {
    transactions,
    rolledBack,
    inserts: tally.of('inserts'),
    updates: tally.of('updates'),
    deletes: tally.of('deletes'),
    traps: Object.fromEntries([...traps].sort()),
  };
}

/**
 * Lets the legacy application work on its database until `signal` aborts.
 *
 * The sequence of choices follows from the seed and the state of the database; times are those of
 * the clock and, with more than one connection, ids depend on how the connections interleave.
 *
 * @returns what was committed, once everything in hand is committed and the connections are closed
 */
export async function startTraffic(options: TrafficOptions): Promise<TrafficReport> {
  const fast = options.changesPerSecond > ONE_CONNECTION_UP_TO;
  const count = options.connections ?? (fast ? 2 : 1);
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const opened: { client: pg.Client; session: Session }[] = [];
  try {
    const pace = new Pace(options.changesPerSecond, signal);
    const onTransaction = (changes: number) => {
      pace.count(changes);
      options.onTransaction?.(changes);
    };
    for (let index = 0; index < count; index += 1) {
      opened.push(await openSession(options, { index, of: count }, onTransaction));
    }
    const sessions = opened.map(({ session }) => session);
    const running = sessions.map((session) => work(session, { ...options, signal }, pace));
    // One that fails stops the others too, and the first error is the one that is passed on.
    await Promise.all(running).catch(async (error: unknown) => {
      stop.abort();
      await Promise.allSettled(running);
      throw error;
    });
    return report(sessions);
  } finally {
    await Promise.allSettled(opened.map(({ client }) => client.end()));
  }
}
