import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import { withClient } from './database.ts';

/** Columns of `tasks` that belong to the target or that the server fills. */
const NOT_WRITTEN = [
  ...['assigned_by', 'started_at', 'due_at', 'quality_score', 'quality_notes'],
  ...['deleted_at', 'created_at', 'updated_at'],
];

/**
 * The same writes by the target's server alone: per batch one update of the mirror table and one
 * upsert into `tasks`, from rows that are there already, finished.
 *
 * @returns seconds
 */
export async function floorStream(
  targetUrl: string,
  ids: readonly number[],
  batchSize: number,
  mark: string,
): Promise<number> {
  return withClient(targetUrl, async (client) => {
    const mirror = await columnsOf(client, 'legacy.dispatch_task', []);
    const tasks = await columnsOf(client, 'public.tasks', NOT_WRITTEN);
    await prepare(client, { ids, batchSize, mark, mirror, tasks });
    const batches = Math.ceil(ids.length / batchSize);
    await client.query('checkpoint');
    const start = performance.now();
    for (let i = 0; i < batches; i++) await client.query(batchSql(i, mirror, tasks));
    return (performance.now() - start) / 1000;
  });
}

async function columnsOf(client: pg.Client, table: string, but: readonly string[]) {
  const rows = await textRows(
    client,
    `select attname from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attname <> all ($2)`,
    [table, but],
  );
  return rows.map(([name]) => name ?? '');
}

/**
 * One row per key and batch, as a batch collapses: what the mirror holds (`m_`) and what `tasks`
 * holds (`t_`) once the last update of the key in that batch is applied.
 */
async function prepare(
  client: pg.Client,
  plan: {
    readonly ids: readonly number[];
    readonly batchSize: number;
    readonly mark: string;
    readonly mirror: readonly string[];
    readonly tasks: readonly string[];
  },
): Promise<void> {
  const text = `'${plan.mark} ' || final.n`;
  const changedMirror: Readonly<Record<string, string>> = { checked: 'final.checked', text };
  const changedTask: Readonly<Record<string, string>> = {
    checked: 'final.checked',
    body: text,
    status: `(case when final.checked or task.completed_at is not null
      then 'completed' else 'pending' end)::public.task_status`,
  };
  const list = [
    ...plan.mirror.map((c) => `${changedMirror[c] ?? `mirror.${ident(c)}`} as ${ident(`m_${c}`)}`),
    ...plan.tasks.map((c) => `${changedTask[c] ?? `task.${ident(c)}`} as ${ident(`t_${c}`)}`),
  ];
  await client.query('create schema if not exists bench');
  await client.query('drop table if exists bench.change');
  await textRows(
    client,
    `create unlogged table bench.change as
     with final as (
       select id, (n - 1) / ${plan.batchSize} as batch, min(n) as first, max(n) as n,
         sum(count(*)) over (partition by id order by (n - 1) / ${plan.batchSize}) as times
       from unnest('{${plan.ids.join(',')}}'::int[]) with ordinality as u (id, n)
       group by id, (n - 1) / ${plan.batchSize}
     ), flipped as (
       select final.id, batch, first, final.n,
         coalesce(checked, false) <> (times % 2 = 1) as checked
       from final join legacy.dispatch_task as mirror using (id)
     )
     select final.batch::integer, ${list.join(', ')}
     from flipped as final
     join legacy.dispatch_task as mirror on mirror.id = final.id
     join public.tasks as task on task.legacy_task_id = final.id
     order by final.batch, final.first`,
  );
  await client.query('create index on bench.change (batch)');
  await client.query('vacuum analyze bench.change');
}

function batchSql(batch: number, mirror: readonly string[], tasks: readonly string[]): string {
  const setMirror = mirror
    .filter((name) => name !== 'id')
    .map((name) => `${ident(name)} = change.${ident(`m_${name}`)}`);
  const setTask = tasks
    .filter((name) => name !== 'id')
    .map((name) => `${ident(name)} = excluded.${ident(name)}`);
  return `begin;
    update legacy.dispatch_task as mirror set ${setMirror.join(', ')}
    from bench.change as change where change.batch = ${batch} and mirror.id = change.m_id;
    insert into public.tasks (${tasks.map(ident).join(', ')})
    select ${tasks.map((name) => ident(`t_${name}`)).join(', ')}
    from bench.change where batch = ${batch}
    on conflict (id) do update set ${setTask.join(', ')}, deleted_at = null, updated_at = now();
    commit`;
}
