import { momentsSql } from './moments-schema.ts';

/**
 * The engine's own tables, schema `tandem`, and `tandem.uuid_of`. Every statement may be repeated.
 *
 * Positions are text because what a position is depends on the source (an LSN in direct mode).
 * `root_key` is the text of the root's primary key, a JSON array where it has several columns.
 */
export function controlSchemaSql(): readonly string[] {
  return [
    `create schema if not exists tandem`,
    `create schema if not exists legacy`,
    `comment on schema tandem is 'Tandem: positions, progress, and what could not be applied yet'`,
    `comment on schema legacy is 'Tandem: twins of the mapped legacy tables, with the version of each row'`,
    ...TABLES,
    ...proofTablesSql(),
    ...UUID_OF,
    ...momentsSql(),
    FENCE,
    TABLES_DIGEST,
    FENCE_LOG,
    LOCK,
    ROW_EXISTS,
    CHECK_AT_ONCE,
  ];
}

/** Adds what an older version's table lacks; otherwise it waits for no lock. */
function addColumns(table: string, columns: Readonly<Record<string, string>>): string {
  const steps = Object.entries(columns).map(
    ([name, type]) => `if not exists (select from pg_attribute
        where attrelid = 'tandem.${table}'::regclass and attname = '${name}') then
        alter table tandem.${table} add column ${name} ${type};
      end if;`,
  );
  return `do $$ begin ${steps.join(' ')} end $$`;
}

const REFERENCE = `
    entity text not null,
    root_key text not null,
    target_table text not null,
    target_id uuid not null,
    target_column text not null,
    parent_table text not null,
    parent_entity text not null,
    parent_key text not null,
    parent_id uuid not null,
    first_seen_at timestamptz not null default now(),
    primary key (entity, root_key, target_table, target_id, target_column)`;

/** A root at the version that was refused, and why. */
const REFUSED = `
    entity text not null,
    root_key text not null,
    source_table text not null,
    source_commit_lsn pg_lsn not null,
    source_change_lsn pg_lsn not null,
    error_class text not null,
    message text not null,`;

const TABLES: readonly string[] = [
  `create table if not exists tandem.position (
    stream text primary key,
    position text not null,
    epoch bigint not null default 0,
    mode text not null default 'direct',
    slot text not null,
    system_identifier text not null,
    timeline integer not null,
    consistent_point pg_lsn not null,
    heartbeat_at timestamptz,
    heartbeat_lag interval,
    committed_at timestamptz,
    updated_at timestamptz not null default now()
  )`,
  addColumns('position', { noted_at: 'timestamptz' }),
  `comment on column tandem.position.noted_at is 'the newest time in tandem.moment'`,
  `comment on column tandem.position.position is 'where the source goes on; advances in the transaction that brings the rows'`,
  `comment on column tandem.position.epoch is 'raised by every process that takes the stream over; an older one writes nothing more'`,
  addColumns('position', { cluster_id: 'text', connector_began: 'pg_lsn' }),
  `comment on column tandem.position.connector_began is 'counts as the commit before the first transaction that a connector sees, which tells none; null: the consistent point'`,
  `comment on column tandem.position.mode is 'direct: from the slot; kafka: through a log, position is then a place before which everything is here'`,
  `comment on column tandem.position.cluster_id is 'the Kafka cluster whose offsets tandem.topic_position holds'`,
  `create table if not exists tandem.topic_position (
    stream text not null,
    topic text not null,
    "partition" integer not null,
    next_offset bigint not null,
    last_timestamp bigint,
    updated_at timestamptz not null default now(),
    primary key (stream, topic, "partition")
  )`,
  addColumns('topic_position', { seen_end: 'bigint' }),
  `comment on column tandem.topic_position.seen_end is 'the partition has reached as far as this once: a topic that was made anew ends before it'`,
  `comment on table tandem.topic_position is 'by partition: the first message that is not here yet; advances in the transaction that brings the rows'`,
  `comment on column tandem.topic_position.last_timestamp is 'of the message before, in ms since the epoch: a topic that was made anew has another one there'`,
  `create table if not exists tandem.dead_letter (
    topic text not null,
    "partition" integer not null,
    "offset" bigint not null,
    table_name text,
    error_class text not null,
    message text not null,
    attempts integer not null default 1,
    first_seen_at timestamptz not null default now(),
    last_tried_at timestamptz not null default now(),
    primary key (topic, "partition", "offset")
  )`,
  addColumns('dead_letter', {
    accepted_at: 'timestamptz',
    accepted_by: 'text',
    accept_reason: 'text',
  }),
  `comment on table tandem.dead_letter is 'messages that nobody could read; their bytes are in the topic of dead letters'`,
  `create table if not exists tandem.mirror (
    table_name text primary key,
    columns jsonb not null,
    loaded_at timestamptz,
    read_until pg_lsn
  )`,
  addColumns('mirror', {
    state: `text not null default 'active'`,
    cause: 'text',
    reason: 'text',
    since: 'timestamptz not null default now()',
    joins_at: 'pg_lsn',
    ahead_until: 'pg_lsn',
    source_columns: 'text[]',
  }),
  `comment on column tandem.mirror.state is 'active; stopped; waiting and joining: to be read again beside the stream; removed: the mapping reads it no more'`,
  `comment on column tandem.mirror.joins_at is 'changes that were committed before are not taken from the stream: the table is read behind it'`,
  `comment on column tandem.mirror.read_until is 'where the source stood when the last chunk was read: the copy is consistent once the stream has passed it'`,
  `create table if not exists tandem.chunk (
    stage text not null,
    subject text not null,
    number integer not null,
    lower text,
    upper text,
    rows bigint,
    version pg_lsn,
    finished_at timestamptz,
    primary key (stage, subject, number)
  )`,
  `comment on column tandem.chunk.version is 'reload: everything that was committed before it was read'`,
  `comment on column tandem.chunk.upper is 'JSON array of the key behind the last one of the chunk; null: to the end'`,
  `create table if not exists tandem.entity (
    name text primary key,
    state text not null default 'active',
    reason text,
    derived_at timestamptz,
    since timestamptz not null default now()
  )`,
  addColumns('entity', {
    running_with: 'text',
    derived_with: 'text',
    mapping_since: 'timestamptz',
    waits_for: 'text',
    has_strays: 'boolean not null default false',
  }),
  `comment on column tandem.entity.has_strays is 'its root table got another key: target rows of keys that are not there any more are removed once it is derived anew'`,
  `comment on column tandem.entity.running_with is 'fingerprint of the mapping of the process that derives it'`,
  `comment on column tandem.entity.derived_with is 'fingerprint of the mapping that all of its rows come from; null: of several'`,
  `comment on column tandem.entity.mapping_since is 'since when it is derived with this mapping'`,
  `comment on column tandem.entity.waits_for is 'the mirror table because of which it is stopped: it goes on with that'`,
  `create table if not exists tandem.run (
    id bigint generated always as identity primary key,
    kind text not null,
    status text not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    counters jsonb not null default '{}',
    options jsonb not null default '{}',
    dry_run boolean not null default false
  )`,
  `create table if not exists tandem.held (${REFERENCE}
  )`,
  `create index if not exists held_parent on tandem.held (parent_table, parent_id)`,
  `create table if not exists tandem.unresolved (${REFERENCE}
  )`,
  `create index if not exists unresolved_parent on tandem.unresolved (parent_table, parent_id)`,
  `create table if not exists tandem.excluded (
    entity text not null,
    root_key text not null,
    rule text not null,
    primary key (entity, root_key)
  )`,
  `create table if not exists tandem.quarantine (${REFUSED}
    attempts integer not null default 1,
    first_seen_at timestamptz not null default now(),
    last_tried_at timestamptz not null default now(),
    primary key (entity, root_key)
  )`,
  `create table if not exists tandem.accepted (${REFUSED}
    attempts integer not null,
    first_seen_at timestamptz not null,
    reason text not null,
    accepted_by text not null,
    accepted_at timestamptz not null default now(),
    primary key (entity, root_key)
  )`,
  `comment on table tandem.accepted is 'refused roots that a person has decided to leave out: as long as the root stands at this version and is refused with this kind of error'`,
  `create table if not exists tandem.issue (
    entity text not null,
    root_key text not null,
    target_column text not null,
    reason text not null,
    first_seen_at timestamptz not null default now(),
    primary key (entity, root_key, target_column, reason)
  )`,
  `create table if not exists tandem.yielded (
    entity text not null,
    root_key text not null,
    target_table text not null,
    target_id uuid not null,
    primary key (entity, root_key, target_table, target_id)
  )`,
  `create index if not exists yielded_target on tandem.yielded (target_id)`,
  `create table if not exists tandem.journal_waiting (
    entity text not null,
    root_key text not null,
    change jsonb not null,
    primary key (entity, root_key)
  )`,
  `create table if not exists tandem.journal_last (
    entity text not null,
    root_key text not null,
    at timestamptz not null,
    primary key (entity, root_key)
  )`,
  `create table if not exists tandem.row_behind (
    table_name text not null,
    key text not null,
    cells jsonb not null,
    commit_lsn pg_lsn not null,
    change_lsn pg_lsn not null,
    until_commit pg_lsn not null,
    until_change pg_lsn not null,
    primary key (table_name, key)
  )`,
  `create table if not exists tandem.job (
    id bigint generated always as identity primary key,
    entity text not null,
    usage text,
    values text[],
    after_key text,
    reason text not null,
    created_at timestamptz not null default now()
  )`,
  addColumns('job', { done: 'bigint not null default 0' }),
  `comment on table tandem.job is 'roots to derive again behind the stream: those that the usage leads to from the values; usage null: the values are root keys; values null: all roots'`,
  `create table if not exists tandem.set_aside (
    kind text not null,
    table_schema text not null,
    table_name text not null,
    name text not null,
    definition text not null,
    reference jsonb,
    primary key (kind, table_schema, table_name, name)
  )`,
  `comment on table tandem.set_aside is 'indexes and foreign keys that the bulk derive dropped and will make again'`,
];

/** What `tandem verify` remembers; it makes them itself where a target was set up before they were. */
export function proofTablesSql(): readonly string[] {
  return [
    `create table if not exists tandem.proof (
    id bigint generated always as identity primary key,
    scope text not null,
    seed integer not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    verdict text,
    summary jsonb
  )`,
    `create table if not exists tandem.proof_table (
    proof bigint not null references tandem.proof (id) on delete cascade,
    table_name text not null,
    state jsonb not null,
    primary key (proof, table_name)
  )`,
    // Everything was asked for, and it came to its end. A target that was set up earlier lacks the column.
    `alter table tandem.proof add column if not exists is_full boolean not null default false`,
    `comment on table tandem.proof_table is 'how far a verification has come that is not finished: sums, names and keys, no values'`,
  ];
}

/** 48 bits of the name's hash, version 8, the form of the key, variant, 62 bits of key: core/uuid.ts. */
const UUID_OF: readonly string[] = [
  `create or replace function tandem.uuid_parts(name text, form integer, bits bigint) returns uuid
   language sql immutable parallel safe strict set search_path = pg_catalog as $$
     select (substr(d, 1, 12) || '8' || lpad(to_hex(form), 3, '0')
       || lpad(to_hex((bits & 4611686018427387903) | (-9223372036854775808)), 16, '0'))::uuid
     from (select encode(sha256(convert_to(name, 'UTF8')), 'hex') as d) as digest
   $$`,
  `create or replace function tandem.uuid_of(name text, id bigint) returns uuid
   language sql immutable parallel safe strict set search_path = pg_catalog as $$
     select tandem.uuid_parts(name, 0, id)
   $$`,
  `create or replace function tandem.uuid_of(name text, a integer, b integer) returns uuid
   language sql immutable parallel safe strict set search_path = pg_catalog as $$
     select tandem.uuid_parts(name, 1, (a::bigint << 31) | b::bigint)
   $$`,
  `create or replace function tandem.uuid_of(name text, key text) returns uuid
   language sql immutable parallel safe strict set search_path = pg_catalog as $$
     select tandem.uuid_parts(name, 2,
       (('x' || substr(encode(sha256(convert_to(key, 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint >> 2)
         & 4611686018427387903)
   $$`,
];

/**
 * The first statement of every transaction that writes. Where the position still stands as expected,
 * moves it on (`p_next` null: only locks it) and returns the entities that are not derived at
 * present; else returns null.
 */
const FENCE = `
  create or replace function tandem.fence(
    p_stream text, p_epoch bigint, p_expected text, p_next text,
    p_heartbeat_at timestamptz, p_heartbeat_lag interval, p_committed_at timestamptz
  ) returns text[] language plpgsql set search_path = pg_catalog as $$
  declare
    v_now timestamptz := greatest(p_heartbeat_at, p_committed_at);
    v_noted timestamptz;
  begin
    if p_next is null then
      perform from tandem.position
      where stream = p_stream and epoch = p_epoch and position = p_expected for update;
    else
      update tandem.position set
        position = p_next,
        heartbeat_at = coalesce(p_heartbeat_at, heartbeat_at),
        heartbeat_lag = coalesce(p_heartbeat_lag, heartbeat_lag),
        committed_at = coalesce(p_committed_at, committed_at),
        updated_at = clock_timestamp()
      where stream = p_stream and epoch = p_epoch and position = p_expected
      returning noted_at into v_noted;
    end if;
    if not found then
      return null;
    end if;
    -- So all that came before and was not noted was less than a minute behind the last one, hence older.
    if v_now >= coalesce(v_noted + interval '1 minute', v_now) then
      perform tandem.note_moment(p_stream, v_now, p_next);
    end if;
    -- Behind the lock: whoever pauses or resumes locks the position too, so this sees it or precedes it.
    return array(select name from tandem.entity where state <> 'active');
  end $$`;

/** Changes whenever a session that knows the mirror's tables has to know them anew. */
const TABLES_DIGEST = `
  create or replace function tandem.tables_digest() returns text
  language sql stable set search_path = pg_catalog as $$
    select coalesce(md5(string_agg(concat_ws(' ', table_name, state, joins_at, columns), ';' order by table_name)), '')
    from tandem.mirror
  $$`;

/**
 * The same for a stream that comes through a log: moves partitions by compare-and-set. `taken` names
 * one that stands elsewhere; `inactive` is null where the epoch is another.
 */
const FENCE_LOG = `
  create or replace function tandem.fence_log(
    p_stream text, p_epoch bigint, p_topics text[], p_partitions integer[],
    p_from bigint[], p_to bigint[], p_timestamps bigint[],
    out taken text, out inactive text[], out tables text
  ) language plpgsql set search_path = pg_catalog as $$
  begin
    -- Shared: several processes write at a time, and whoever must be alone locks the row for update.
    perform from tandem.position
    where stream = p_stream and epoch = p_epoch and mode = 'kafka' for key share;
    if not found then
      return;
    end if;
    inactive := array(select name from tandem.entity where state <> 'active');
    tables := tandem.tables_digest();
    for i in 1 .. coalesce(array_length(p_topics, 1), 0) loop
      update tandem.topic_position
      set next_offset = p_to[i], last_timestamp = p_timestamps[i], updated_at = clock_timestamp()
      where stream = p_stream and topic = p_topics[i] and "partition" = p_partitions[i]
        and next_offset = p_from[i];
      if not found then
        insert into tandem.topic_position (stream, topic, "partition", next_offset, last_timestamp)
        values (p_stream, p_topics[i], p_partitions[i], p_to[i], p_timestamps[i])
        on conflict do nothing;
        if not found then
          taken := p_topics[i] || '/' || p_partitions[i];
          return;
        end if;
      end if;
    end loop;
  end $$`;

/** Advisory transaction locks by name, in the order given. */
const LOCK = `
  create or replace function tandem.lock(p_names text[], p_exclusive boolean[]) returns void
  language plpgsql set search_path = pg_catalog as $$
  begin
    for i in 1 .. coalesce(array_length(p_names, 1), 0) loop
      if p_exclusive[i] then
        perform pg_advisory_xact_lock(hashtextextended('tandem ' || p_names[i], 0));
      else
        perform pg_advisory_xact_lock_shared(hashtextextended('tandem ' || p_names[i], 0));
      end if;
    end loop;
  end $$`;

const ROW_EXISTS = `
  create or replace function tandem.row_exists(p_table text, p_id uuid) returns boolean
  language plpgsql stable set search_path = pg_catalog as $$
  declare
    dot integer := position('.' in p_table);
    found boolean;
  begin
    -- A mark of a mapping that has changed since may name a table that is not there.
    if p_table = '' or to_regclass(format('%I.%I',
      case when dot = 0 then 'public' else substr(p_table, 1, dot - 1) end,
      case when dot = 0 then p_table else substr(p_table, dot + 1) end)) is null then
      return false;
    end if;
    execute format('select exists (select from %I.%I where id = $1)',
      case when dot = 0 then 'public' else substr(p_table, 1, dot - 1) end,
      case when dot = 0 then p_table else substr(p_table, dot + 1) end)
    into found using p_id;
    return found;
  end $$`;

/**
 * From here to the end of the transaction unique constraints of a table that are checked at commit
 * are checked by each statement: to find the row that breaks one.
 */
const CHECK_AT_ONCE = `
  create or replace function tandem.check_at_once(p_table text) returns void
  language plpgsql set search_path = pg_catalog as $$
  declare
    item record;
  begin
    for item in
      select n.nspname, c.conname from pg_constraint c join pg_namespace n on n.oid = c.connamespace
      where c.conrelid = p_table::regclass and c.condeferrable and c.contype in ('p', 'u', 'x')
    loop
      execute format('set constraints %I.%I immediate', item.nspname, item.conname);
    end loop;
  end $$`;
