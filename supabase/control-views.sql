-- What the engine remembers, under the names that the new system uses: docs/operations.md.
--
-- Not a migration: the tables below it are made by `tandem setup`, which runs this file afterwards,
-- at every setup. A migration would fail where it is applied before (`supabase db push`), or, made
-- to do nothing there, would never make the views.
--
-- security_invoker: whoever reads them needs the rights on schema tandem as well, which nobody is
-- given. In a Supabase project the API's roles would otherwise read keys and errors.

create or replace view public.replication_runs with (security_invoker = true) as
select
  id::text as id,
  kind,
  status,
  started_at,
  finished_at,
  counters,
  options,
  dry_run
from tandem.run;

-- One row per stream, and one per table of the backfill: its last finished chunk.
create or replace view public.replication_checkpoints with (security_invoker = true) as
select
  stream,
  ''::text as source_table,
  position,
  null::text as last_key,
  updated_at
from tandem.position
union all
select 'backfill', subject, null, upper, finished_at
from (
  select distinct on (subject) subject, upper, finished_at
  from tandem.chunk
  where stage = 'load' and finished_at is not null
  order by subject, number desc
) as last_chunk;

-- A key that is not one integer has no parent_legacy_id.
create or replace view public.replication_pending_refs with (security_invoker = true) as
select
  entity,
  target_table,
  target_id,
  target_column,
  parent_entity,
  case when parent_key ~ '^-?\d{1,18}$' then parent_key::bigint end as parent_legacy_id,
  is_held,
  first_seen_at
from (
  select entity, target_table, target_id, target_column, parent_entity, parent_key,
    false as is_held, first_seen_at
  from tandem.unresolved
  union all
  select entity, target_table, target_id, target_column, parent_entity, parent_key, true, first_seen_at
  from tandem.held
) as missing;

-- A journal's entry has its version behind the key. Rows that a person has accepted are no errors.
create or replace view public.replication_errors with (security_invoker = true) as
select
  entity,
  source_table,
  case when split_part(root_key, ' ', 1) ~ '^-?\d{1,18}$'
    then split_part(root_key, ' ', 1)::bigint end as legacy_id,
  source_commit_lsn,
  source_change_lsn,
  error_class,
  message,
  attempts,
  first_seen_at
from tandem.quarantine;

comment on view public.replication_runs is 'Tandem: one row per backfill or stream';
comment on view public.replication_checkpoints is 'Tandem: the position of each stream, and how far the backfill came';
comment on view public.replication_pending_refs is 'Tandem: references whose parent has not arrived';
comment on view public.replication_errors is 'Tandem: rows that could not be applied';
