import type { Sample } from './diff.ts';
import type { JournalReport } from './report.ts';
import type { Session } from './session.ts';

/**
 * Every observed change against the rules of mapping 3.7 number 4 that need no stream.
 *
 * `chain` and `present` hold as long as every status came by a captured update: an order that is
 * deleted and inserted again under its old id may start anew with another status.
 */
const BROKEN = `
  with journal as (
    select h.*,
      ('x' || right(replace(h.order_id::text, '-', ''), 15))::bit(60)::bigint as instruction_id,
      lag(h.changed_at) over log as before_at,
      lag(h.id) over log as before_id,
      lag(h.to_status) over log as before_status,
      lag(h.to_state_id) over log as before_state,
      lead(h.id) over log as next_id,
      o.status as present_status, o.deleted_at is null as is_order_live
    from public.order_state_history h join public.orders o on o.id = h.order_id
    where h.origin = 'observed_change'
    window log as (partition by h.order_id order by h.source_commit_lsn, h.source_change_lsn)
  ),
  -- The states of mapping 4.4 that stand for a value of dispatch_instruction.status.
  state (id, status) as (
    select pg_temp.instruction_status_state(code), pg_temp.order_status(code)
    from generate_series(0, 5) as code
  )
  select rule, j.id
  from journal j
  left join state from_state on from_state.status = j.from_status::text
  left join state to_state on to_state.status = j.to_status::text
  cross join lateral (values
    ('id', j.id::text <> pg_temp.text_ref('order_status_change', format('%s:%s:%s',
      j.instruction_id, j.source_commit_lsn, j.source_change_lsn))),
    ('version', j.source_commit_lsn is null or j.source_change_lsn is null),
    ('from_status', j.from_status is null
      or j.from_status::text not in (select status from state union select 'unknown')),
    ('to_status', j.to_status::text not in (select status from state union select 'unknown')),
    ('from_state', j.from_state_id::text is distinct from from_state.id),
    ('to_state', j.to_state_id::text is distinct from to_state.id),
    ('a change', j.from_state_id = j.to_state_id),
    ('changed_by', j.changed_by_id is not null),
    ('legacy_state_id', j.legacy_state_id is not null),
    ('duration', j.duration_in_previous::text is distinct from (j.changed_at - j.before_at)::text),
    ('deleted_at', j.deleted_at is not null),
    ('chain', j.before_id is not null and (j.from_status is distinct from j.before_status
      or j.from_state_id is distinct from j.before_state)),
    ('present', j.next_id is null and j.is_order_live
      and j.to_status is distinct from j.present_status)
  ) as judged (rule, is_broken)
  where is_broken
  union all
  select 'key', (array_agg(id order by id))[2] from journal
  group by order_id, source_commit_lsn, source_change_lsn having count(*) > 1
  order by rule, id`;

/** Needs the rule functions in the session of the target. */
export async function checkJournal(target: Session, maxExamples: number): Promise<JournalReport> {
  const [[rows = '0'] = []] = await target.arrays(
    `select count(*) from public.order_state_history where origin = 'observed_change'`,
  );
  const ids = new Map<string, string[]>();
  for (const [rule, id] of await target.arrays(BROKEN)) {
    const same = ids.get(rule ?? '') ?? [];
    ids.set(rule ?? '', [...same, id ?? '']);
  }
  const broken = [...ids].map(([rule, all]): [string, Sample<string>] => [
    rule,
    { count: all.length, examples: all.slice(0, maxExamples) },
  ]);
  return { rows: Number(rows), broken: new Map(broken) };
}
