import { setTimeout as pause } from 'node:timers/promises';
import { textRows } from '../../connectors/postgres/connection.ts';
import { ident, literal } from '../../connectors/postgres/sql.ts';
import type { Bench } from './bench.ts';
import { execute, rowsOf, withClient } from './database.ts';
import { streamDatabase } from './measure-stream.ts';
import { countPlain, plainTables, type PlainTables } from './plain-tables.ts';
import { perSecond, type Line, type Measured } from './report.ts';
import { Worker } from './run-worker.ts';
import { median, percentile } from './statistics.ts';
import {
  arrival,
  commitTimes,
  distinctTasks,
  latencies,
  PLAIN,
  TASKS,
  withWriter,
  type Place,
} from './steady-writes.ts';
import { drawTasks, writeUpdates } from './task-updates.ts';
import { EMPTY } from './world.ts';

const NATIVE = 'bench_native';
const COPY = 'bench_native_ours';
const PER_SECOND = 200;
const SECONDS = 10;

/**
 * Beside the server's own logical replication of the same tables and columns, in one run: initial
 * copy, draining a backlog, latency. It copies rows as they are and keeps no versions; ours keeps the
 * same rows with their versions and derives the new model from them in the same transaction.
 */
export async function measureNative(bench: Bench): Promise<Measured> {
  const { world, options } = bench;
  bench.say("the same tables by the server's own logical replication");
  const plain = await published(bench);
  const native = plain.url;
  const copySeconds = await subscribe(bench, native);
  const rows = await countPlain(plain);
  const load = await bench.engine('native-load', await world.clone(COPY, EMPTY), { kind: 'load' });
  await world.drop(COPY);

  const target = await streamDatabase(bench);
  await execute(native, `alter subscription ${NATIVE} disable`);
  const ids = await drawTasks(bench, options.updates, 77);
  await writeUpdates(bench, ids, 'native');
  const work = { kind: 'stream', events: ids.length } as const;
  const ours = await bench.engine('native-stream', target, work);
  await world.settle();
  const drainSeconds = await drain(bench, native);

  await execute(native, NOTE_ARRIVAL);
  bench.say(`latency at ${PER_SECOND} changes a second, one after the other`);
  const nativeIds = await steady(bench, native, PLAIN, 'by native replication');
  const nativeMs = await nativeLatencies(bench, native, nativeIds);
  await execute(native, `alter subscription ${NATIVE} disable`);
  await world.settle();
  const task = { sourceUrl: world.sourceUrl, targetUrl: target, profile: null };
  const worker = new Worker(world, { ...task, work: { kind: 'stream', events: null } });
  const oursIds = await steady(bench, target, TASKS, 'by tandem');
  const oursMs = await latencies(bench, target, TASKS, oursIds);
  await worker.stop();
  await execute(native, `drop subscription ${NATIVE}`);
  await execute(world.sourceUrl, `drop publication ${NATIVE}`);
  await world.drop(NATIVE);

  const describe = (count: number, unit: string, seconds: number) =>
    perSecond(count, unit)(seconds);
  const ms = (p: number) => [percentile(oursMs, p), percentile(nativeMs, p)] as const;
  return {
    lines: [
      beside(
        'initial copy, beside native replication',
        [describe(rows, 'rows', load.seconds), describe(rows, 'rows', copySeconds)],
        copySeconds / load.seconds,
      ),
      beside(
        `${ids.length.toLocaleString('en-US')} updates with their derivation, beside native without`,
        [
          describe(ids.length, 'changes', ours.seconds),
          describe(ids.length, 'changes', drainSeconds),
        ],
        drainSeconds / ours.seconds,
      ),
      ...([0.5, 0.99] as const).map((p) => {
        const [a, b] = ms(p);
        const what = `latency at ${PER_SECOND} changes/s, beside native: p${p * 100}`;
        return beside(what, [`${a.toFixed(1)} ms`, `${b.toFixed(1)} ms`], b / a);
      }),
    ],
    facts: {
      ...{ rows, copySeconds, loadSeconds: load.seconds },
      ...{ updates: ids.length, drainSeconds, streamSeconds: ours.seconds },
      latencyMs: {
        ours: { p50: median(oursMs), p99: percentile(oursMs, 0.99) },
        native: { p50: median(nativeMs), p99: percentile(nativeMs, 0.99) },
      },
    },
  };
}

function beside(what: string, [ours, floor]: readonly [string, string], ratio: number): Line {
  return { what, ours, floor, ratio, goal: '', met: null };
}

/** The plain tables, and a publication of the same columns of the source. */
async function published(bench: Bench): Promise<PlainTables> {
  const plain = await plainTables(bench, NATIVE);
  const list = plain.tables.map(({ name, columns }) => `public.${ident(name)} (${columns})`);
  await execute(bench.world.sourceUrl, `create publication ${NATIVE} for table ${list.join(', ')}`);
  return plain;
}

/** Seconds until every table is copied, with as many workers as ours. */
async function subscribe({ world }: Bench, native: string): Promise<number> {
  await world.settle();
  return withClient(native, async (client) => {
    const start = performance.now();
    await client.query(
      `create subscription ${NATIVE} connection ${literal(world.sourceUrl)} publication ${NATIVE}`,
    );
    for (;;) {
      const [row] = await textRows(
        client,
        `select count(*) filter (where srsubstate <> 'r'), count(*) from pg_subscription_rel`,
      );
      if (row?.[0] === '0' && row[1] !== '0') break;
      await pause(20);
    }
    return (performance.now() - start) / 1000;
  });
}

/** Seconds from the start of the subscription until it has confirmed all that was committed. */
async function drain({ world }: Bench, native: string): Promise<number> {
  return withClient(world.sourceUrl, async (source) => {
    const [end] = await textRows(source, 'select pg_current_wal_insert_lsn()');
    const start = performance.now();
    await execute(native, `alter subscription ${NATIVE} enable`);
    for (;;) {
      const rows = await textRows(
        source,
        `select from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn >= $2::pg_lsn`,
        [NATIVE, end?.[0] ?? null],
      );
      if (rows.length > 0) break;
      await pause(20);
    }
    return (performance.now() - start) / 1000;
  });
}

async function steady(bench: Bench, url: string, place: Place, mark: string): Promise<number[]> {
  const ids = await distinctTasks(bench, PER_SECOND * SECONDS);
  const warmUp = ids.splice(0, ids.length >> 2);
  await withWriter(bench, PER_SECOND, async (write) => {
    await write(warmUp, `${mark}, warm-up`);
    await arrival(url, place, warmUp, `${mark}, warm-up`);
    await write(ids, mark);
    await arrival(url, place, ids, mark);
  });
  return ids;
}

/**
 * The subscriber's commits carry the publisher's time, so a trigger notes when a row was written.
 * What is then left of its transaction is the commit alone.
 */
async function nativeLatencies(
  bench: Bench,
  native: string,
  ids: readonly number[],
): Promise<number[]> {
  const committed = await commitTimes(bench.world.sourceUrl, PLAIN, ids);
  const rows = await rowsOf(native, 'select id, extract(epoch from at) * 1000 from public.seen');
  const seen = new Map(rows.map(([id, ms]) => [id ?? '', Number(ms)]));
  return [...committed].map(([id, ms]) => (seen.get(id) ?? NaN) - ms);
}

const NOTE_ARRIVAL = `
  create unlogged table public.seen (id integer primary key, at timestamptz not null);
  create function public.note_arrival() returns trigger language plpgsql as $$
  begin
    insert into public.seen values (new.id, clock_timestamp())
    on conflict (id) do update set at = excluded.at;
    return null;
  end $$;
  create trigger note_arrival after update on public.dispatch_task
    for each row execute function public.note_arrival();
  alter table public.dispatch_task enable always trigger note_arrival`;
