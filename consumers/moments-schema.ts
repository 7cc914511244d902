/** Where the source's log stood at which time: the table, and the function by which the fence notes it. */
export const momentsSql = (): readonly string[] => [TABLE, COMMENT, NOTE];

const TABLE = `create table if not exists tandem.moment (
    stream text not null,
    number bigint not null,
    at timestamptz not null,
    position pg_lsn not null,
    primary key (stream, number)
  )`;

const COMMENT = `comment on table tandem.moment is 'once a minute: what was committed before this place in the log, was committed until then'`;

/**
 * Notes until when was committed what stands before a place in the log, and forgets the oldest where
 * they have become many: 43,200 are 30 days. By number, for a clock may have been wrong for a while.
 * Positions that are no places in a log are not noted.
 */
const NOTE = `
  create or replace function tandem.note_moment(p_stream text, p_at timestamptz, p_position text)
  returns void language plpgsql set search_path = pg_catalog as $$
  declare
    v_number bigint;
  begin
    if p_position !~* '^[0-9a-f]{1,8}/[0-9a-f]{1,8}$' then
      return;
    end if;
    insert into tandem.moment (stream, number, at, position)
    select p_stream, coalesce(max(number), 0) + 1, p_at, p_position::pg_lsn
    from tandem.moment where stream = p_stream
    returning number into v_number;
    delete from tandem.moment where stream = p_stream and number <= v_number - 43200;
    update tandem.position set noted_at = p_at where stream = p_stream;
  end $$`;
