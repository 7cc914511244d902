/** Logical messages reach pgoutput since PostgreSQL 14. */
export const MESSAGES_SINCE = 140_000;

/** SQL that yields the content: `{"at":"1735787045678"}`, by the clock of the source. */
export const HEARTBEAT_CONTENT = `json_build_object('at',
  (extract(epoch from clock_timestamp()) * 1000)::bigint::text)::text`;
