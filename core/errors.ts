/** What becomes of a failure: tried again after a pause, ended until a person has acted, or a defect. */
export type ErrorPolicy = { readonly retry: 'timed' | 'manual' | 'never'; readonly hint: string };

/** Every error raised on purpose, and what happens then. docs/operations.md lists this table. */
export const ERROR_POLICY = {
  CONFIG_INVALID: {
    retry: 'manual',
    hint: 'Correct the named setting; `tandem config` shows all of them.',
  },
  SOURCE_UNREACHABLE: {
    retry: 'timed',
    hint: 'Check host, port, network and TLS settings of the source, and that the server is up.',
  },
  TARGET_UNREACHABLE: {
    retry: 'timed',
    hint: 'Check host, port, network and TLS settings of the target, and that the server is up.',
  },
  SOURCE_LOGIN_REFUSED: {
    retry: 'manual',
    hint: 'Check user, password and database of SOURCE_URL, and pg_hba.conf of the source.',
  },
  TARGET_LOGIN_REFUSED: {
    retry: 'manual',
    hint: 'Check user, password and database of TARGET_URL, and pg_hba.conf of the target.',
  },
  TLS_REFUSED: {
    retry: 'manual',
    hint: 'Check the TLS mode, the CA file and the certificate of the connection named here.',
  },
  POOLED_CONNECTION: {
    retry: 'manual',
    hint: 'Use the direct connection string (port 5432): a transaction pooler cannot carry replication or session locks.',
  },
  SAME_DATABASE: {
    retry: 'manual',
    hint: 'Source and target are one database; name another target.',
  },
  PRIVILEGE_MISSING: {
    retry: 'manual',
    hint: 'Run `tandem check`: it prints the grant that is missing.',
  },
  WAL_LEVEL: {
    retry: 'manual',
    hint: 'Set wal_level = logical on the source and restart it.',
  },
  SLOT_MISSING: {
    retry: 'manual',
    hint: 'The slot the target was fed from is gone, and with it the changes since. Run `tandem setup --new-slot`, then `tandem backfill`.',
  },
  SLOT_LOST: {
    retry: 'manual',
    hint: 'The source removed WAL that the slot needed. Raise max_slot_wal_keep_size, then run `tandem setup --new-slot` and `tandem backfill`.',
  },
  SLOT_IN_USE: {
    retry: 'timed',
    hint: 'Another process reads this slot; stop it, or end its backend on the source with pg_terminate_backend.',
  },
  SLOT_AHEAD: {
    retry: 'manual',
    hint: 'The slot is past what the target holds: changes between are gone. Run `tandem setup --new-slot`, then `tandem backfill`.',
  },
  SLOT_RECREATED: {
    retry: 'manual',
    hint: 'The slot is not the one the target was fed from. Run `tandem setup --new-slot`, then `tandem backfill`.',
  },
  SLOT_EXISTS: {
    retry: 'manual',
    hint: 'A slot of this name exists already. Choose another SLOT_NAME, or drop it with `tandem teardown` if it is a left-over.',
  },
  SOURCE_BEHIND: {
    retry: 'manual',
    hint: 'The target holds changes that this source does not have (restored from a backup, a failover that lost WAL, or an old primary that came back). If SOURCE_URL names the right server, run `tandem setup --new-slot`, then `tandem backfill`.',
  },
  WRONG_SERVER: {
    retry: 'manual',
    hint: 'The source is another server than the one the target was fed from. Correct SOURCE_URL, or start with a fresh target.',
  },
  BACKFILL_RUNNING: {
    retry: 'timed',
    hint: 'Another process loads this target; this one waits and goes on when that has ended. One that is gone for good is ended with pg_terminate_backend on the target.',
  },
  POSITION_TAKEN: {
    retry: 'never',
    hint: 'Another process has taken over this stream; this one writes nothing more. Stop one of them.',
  },
  LOG_NOT_DRAINED: {
    retry: 'manual',
    hint: 'The slot has handed changes to Kafka that the target does not hold yet. With relay or connector stopped, let `tandem run --from kafka` finish the log (`tandem status --drained` waits for that); then stop it, and start again.',
  },
  MESSAGE_TOO_LARGE: {
    retry: 'manual',
    hint: 'A row is larger than its topic takes. Raise max.message.bytes of the topic named here (kafka-configs.sh --alter --entity-type topics), then start `tandem relay` again: it goes on with this row, nothing was left out.',
  },
  PARTITION_TAKEN: {
    retry: 'timed',
    hint: 'Another consumer has moved the position of this partition; this one goes on from there. Where it goes on for long, two processes consume the same topics in different groups.',
  },
  TABLES_CHANGED: {
    retry: 'timed',
    hint: 'Another process has settled the tables of the mirror anew; this one opens its session again by itself.',
  },
  KAFKA_UNREACHABLE: {
    retry: 'timed',
    hint: 'Check KAFKA_BROKERS, network and TLS settings, and that the brokers are up. KafkaJSGroupCoordinatorNotFound may also mean that the user may not read the group.',
  },
  KAFKA_REFUSED: {
    retry: 'manual',
    hint: 'The broker refused it, for the reason shown: check user, password and mechanism of KAFKA_*, and the rights on topics and group.',
  },
  TOPIC_MISSING: {
    retry: 'manual',
    hint: 'These topics are not there, or this user may not see them. `tandem connector deploy` makes them, and so does the relay; one that was deleted has taken changes with it: run `tandem run --from kafka --reread-log`.',
  },
  TOPIC_NAME: {
    retry: 'manual',
    hint: 'A topic cannot have this name: a broker takes names that differ in dots and underscores only for the same one. Choose another KAFKA_TOPIC_PREFIX, or leave one of the tables out of the mapping.',
  },
  LOG_EXPIRED: {
    retry: 'manual',
    hint: 'The topic has deleted messages that the target has not had. Raise its retention, then run `tandem run --from kafka --reread-log`, which reads its table again beside the stream.',
  },
  LOG_RECREATED: {
    retry: 'manual',
    hint: 'The topic, or the cluster, is not the one that the target was fed from. Correct KAFKA_BROKERS if it names another cluster; if it was made anew, run `tandem run --from kafka --reread-log`, which reads the tables again beside the stream.',
  },
  LOG_NOT_WHOLE: {
    retry: 'manual',
    hint: 'The topics do not hold their tables from the beginning (a snapshot of Debezium, and every change since), so BACKFILL_FROM=log cannot load from them. Set BACKFILL_FROM=source, or let the connector take its snapshot anew under another KAFKA_TOPIC_PREFIX.',
  },
  OFFSET_MISSING: {
    retry: 'manual',
    hint: 'The topic does not hold what was asked for; beside it stands what it holds. Give an offset from `first` on and before `end`, or --from-time; what has expired can only be read from the source: tandem verify --repair.',
  },
  PROTOCOL_VIOLATION: { retry: 'never', hint: 'A defect: report it with the facts shown.' },
  LSN_MALFORMED: { retry: 'never', hint: 'A defect: report it with the text shown.' },
  RELATION_CHANGED: {
    retry: 'manual',
    hint: 'The table no longer has what the mapping reads. It and the entities that read it stop, the rest goes on. Put the column back, or adapt the mapping and start `tandem run` again: the table is then read anew.',
  },
  TRUNCATE_REFUSED: {
    retry: 'manual',
    hint: 'The source truncated a mapped table. It and the entities that read it stop, the rest goes on. Start `tandem run` with ON_TRUNCATE=apply to follow, or with ON_TRUNCATE=ignore to keep the rows.',
  },
  TABLE_JOINING: {
    retry: 'timed',
    hint: 'The source truncated a table that was being read beside the stream; the reading starts over by itself.',
  },
  TABLE_MISSING: {
    retry: 'manual',
    hint: 'The mapping names a table or column that the database does not have; `tandem check` lists them.',
  },
  TABLE_UNPUBLISHED: {
    retry: 'manual',
    hint: 'The publication does not send these tables, so their changes since are missing: somebody altered it, or dropped a column of its list with CASCADE. Run `tandem setup`, then `tandem backfill` for what reads them.',
  },
  STREAM_TAKEN: {
    retry: 'manual',
    hint: 'The target is fed by another stream already: use its name in STREAM, or a target of its own.',
  },
  MAPPING_INVALID: {
    retry: 'manual',
    hint: 'Correct the mapping; `tandem check` names file and entity.',
  },
  MAPPING_REJECTED_ROW: {
    retry: 'manual',
    hint: 'The mapping refuses this row; it is in quarantine, the rest goes on.',
  },
  MAPPING_THREW: {
    retry: 'manual',
    hint: 'The map function threw on this row; correct the mapping. The row is in quarantine, the rest goes on.',
  },
  TARGET_REFUSED_ROW: {
    retry: 'manual',
    hint: 'The target refuses this row; see the SQLSTATE and the constraint. The row is in quarantine, the rest goes on.',
  },
  TARGET_REFUSED_REMOVAL: {
    retry: 'manual',
    hint: 'The row is gone from the source, and the target cannot remove it, mostly because another table refers to it (see the constraint); it stays, the rest goes on. Remove what refers to it, then run `tandem quarantine retry`, or keep the row with `tandem quarantine accept`.',
  },
  ENTITY_STOPPED: {
    retry: 'manual',
    hint: 'Too many of its rows were refused, or its table lacks what the mapping writes, so the entity stopped; the others go on. Correct mapping or table, then run `tandem resume ENTITY`.',
  },
  NOT_SET_UP: { retry: 'manual', hint: 'Run `tandem setup` first.' },
  MIGRATION_DIVERGED: {
    retry: 'manual',
    hint: 'The target records migrations that the folder lacks, or the reverse order; see `supabase migration list`.',
  },
  TARGET_FULL: {
    retry: 'timed',
    hint: 'The disk of the target is full; make room. Nothing is lost, Tandem goes on by itself.',
  },
  TARGET_BUSY: {
    retry: 'timed',
    hint: 'The target refused for now (deadlock, lock or statement time-out, restart); Tandem tries again.',
  },
  TARGET_FAILED: {
    retry: 'manual',
    hint: 'The target refused a statement of the engine; see the SQLSTATE. After an update of Tandem, `tandem setup` first adds what its records lack (42703, 42P01, 42883).',
  },
  SOURCE_FAILED: {
    retry: 'manual',
    hint: 'The source refused a statement of the engine; see the SQLSTATE.',
  },
  TIME_UNKNOWN: {
    retry: 'manual',
    hint: 'Where the log stood is noted once a minute from the first run on, and kept for 30 days. Give a time behind `from`, or a position.',
  },
  CONDITION_INVALID: {
    retry: 'manual',
    hint: 'The condition is SQL on the columns of the root\'s mirror table, for example "status = 3 and number is null".',
  },
  KEY_MALFORMED: {
    retry: 'manual',
    hint: 'Give the key as the list prints it; of several columns it is a JSON array in quotes, for example \'["1","2"]\'.',
  },
  PORT_UNAVAILABLE: {
    retry: 'manual',
    hint: 'Metrics cannot be served there: another process has the port (EADDRINUSE), or the address is not one of this machine. Change METRICS_PORT or METRICS_HOST.',
  },
  LOG_UNREADABLE: {
    retry: 'timed',
    hint: 'Most messages cannot be read, so none is passed by: check SCHEMA_REGISTRY_URL, and with `tandem check` how the connector writes. It goes on by itself once they can be read.',
  },
  MESSAGE_UNREADABLE: {
    retry: 'manual',
    hint: 'The message is not what Debezium or the relay writes for this table. Look at it in the dead-letter topic; if the connector was configured otherwise, correct that, then run `tandem backfill` for what reads the table.',
  },
  VALUE_NOT_CARRIED: {
    retry: 'manual',
    hint: 'The message does not hold the value of this column, and the source may not be asked. Run `tandem check`: it names the settings of the connector that lose values.',
  },
  REGISTRY_UNREACHABLE: {
    retry: 'timed',
    hint: 'Check SCHEMA_REGISTRY_URL and the network, and that the schema registry is up.',
  },
  REGISTRY_REFUSED: {
    retry: 'manual',
    hint: 'The schema registry refused the request; check SCHEMA_REGISTRY_URL, user and password, and that it speaks the Confluent-compatible interface there (Apicurio: /apis/ccompat/v7).',
  },
  SOURCE_TEXT_INVALID: {
    retry: 'manual',
    hint: 'A text of the source cannot be read as UTF-8 (see its encoding in `tandem check`). Correct the row and run again; if the stream stopped at it, then `tandem setup --new-slot` and `tandem backfill`.',
  },
  CONNECT_UNREACHABLE: {
    retry: 'timed',
    hint: 'Kafka Connect does not answer, or shares out its work for too long. Check CONNECT_URL, and that a worker is up.',
  },
  CONNECT_REFUSED: {
    retry: 'manual',
    hint: 'Kafka Connect refuses the request for the reason given. Check CONNECT_URL, CONNECT_USERNAME and CONNECT_PASSWORD.',
  },
  CONNECTOR_INVALID: {
    retry: 'manual',
    hint: 'Kafka Connect does not take the configuration of the connector; the settings named here are its own. See `tandem connector plan`.',
  },
  CONNECTOR_MISSING: {
    retry: 'manual',
    hint: 'There is no such connector. Run `tandem connector deploy`, or correct CONNECTOR_NAME.',
  },
  CONNECTOR_FAILED: {
    retry: 'manual',
    hint: 'The connector or its task has stopped. Mend the reason given, then run `tandem connector restart`. Where the slot is another one than before: `tandem connector delete`, then `tandem connector deploy`.',
  },
  SHADOW_REFUSED: {
    retry: 'manual',
    hint: 'The schema cannot be made or replaced, for the reason given; nothing of it was touched. Give another name, or put that right.',
  },
  TIMED_OUT: { retry: 'manual', hint: 'It did not happen within the time given.' },
} as const satisfies Record<string, ErrorPolicy>;

export type ErrorCode = keyof typeof ERROR_POLICY;

/** Names, keys, counts and positions; never a column value. */
export type ErrorDetails = Readonly<Record<string, string | number | bigint>>;

/** The one error class. Message: the code, then `key=value` facts. */
export class TandemError extends Error {
  override readonly name = 'TandemError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, cause?: unknown) {
    const facts = Object.entries(details).map(([key, value]) => `${key}=${value}`);
    super([code, ...facts].join(' '), { cause });
    this.code = code;
    this.details = details;
  }

  get hint(): string {
    return ERROR_POLICY[this.code].hint;
  }

  get retry(): ErrorPolicy['retry'] {
    return ERROR_POLICY[this.code].retry;
  }
}
