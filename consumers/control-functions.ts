/** The functions of schema `tandem`; those that name its tables are made behind them. */
export const controlFunctionsSql = (): readonly string[] => [
  ...UUID_OF,
  FENCE,
  TABLES_DIGEST,
  FENCE_LOG,
  LOCK,
  ROW_EXISTS,
  CHECK_AT_ONCE,
];

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
    p_from bigint[], p_to bigint[], p_timestamps bigint[], p_gaps boolean[],
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
      set next_offset = p_to[i], last_timestamp = p_timestamps[i], has_gaps = has_gaps or p_gaps[i],
        updated_at = clock_timestamp()
      where stream = p_stream and topic = p_topics[i] and "partition" = p_partitions[i]
        and next_offset = p_from[i];
      if not found then
        insert into tandem.topic_position
          (stream, topic, "partition", next_offset, last_timestamp, has_gaps)
        values (p_stream, p_topics[i], p_partitions[i], p_to[i], p_timestamps[i], p_gaps[i])
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
