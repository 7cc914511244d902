import { controlFunctionsSql } from './control-functions.ts';
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
    ...momentsSql(),
    ...controlFunctionsSql(),
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
  addColumns('topic_position', { seen_end: 'bigint', has_gaps: 'boolean not null default false' }),
  `comment on column tandem.topic_position.seen_end is 'the partition has reached as far as this once: a topic that was made anew ends before it'`,
  `comment on column tandem.topic_position.has_gaps is 'compaction has taken messages out: what an update leaves out is read from the source, not taken from the row as it was'`,
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
