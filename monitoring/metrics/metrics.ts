import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { Reading } from './reading.ts';

/** Gauges of the library whose names end as those of counters do; `…_active_…` says the same by type. */
export const MISNAMED = [
  'nodejs_active_resources_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
];

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Every metric, declared once, in a registry of its own. Labels are names of the mapping and words of
 * the engine, never keys or values. docs/operations.md explains each one, and a test compares.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return {
    registry,
    ...streamMetrics(registers),
    ...lagMetrics(registers),
    ...slotMetrics(registers),
    ...connectorMetrics(registers),
    ...recordMetrics(registers),
    ...backfillMetrics(registers),
    ...proofMetrics(registers),
  };
}

/** What the stream commits, batch by batch. */
function streamMetrics(registers: Registry[]) {
  return {
    batches: new Counter({
      name: 'tandem_batches_total',
      help: 'Batches committed in the target, those that carry a position alone among them',
      registers,
    }),
    changes: new Counter({
      name: 'tandem_changes_total',
      help: 'Changes of the source committed in the target, by legacy table and operation',
      labelNames: ['table', 'operation'],
      registers,
    }),
    rows: new Counter({
      name: 'tandem_rows_total',
      help: 'Roots derived with batches, by what became of them; one derived twice counts twice',
      labelNames: ['entity', 'outcome'],
      registers,
    }),
    jobRows: new Counter({
      name: 'tandem_job_rows_total',
      help: 'Roots derived by jobs, behind the stream',
      labelNames: ['entity'],
      registers,
    }),
    batchChanges: new Histogram({
      name: 'tandem_batch_changes',
      help: 'Changes per batch, of batches that have any',
      buckets: [1, 10, 100, 1_000, 5_000, 10_000, 20_000, 100_000, 1_000_000],
      registers,
    }),
    phaseSeconds: new Histogram({
      name: 'tandem_batch_phase_seconds',
      help: 'Time that a batch with changes spends in each phase; phases of one batch may overlap',
      labelNames: ['phase'],
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
      registers,
    }),
    interruptions: new Counter({
      name: 'tandem_interruptions_total',
      help: 'Failures that were waited out and tried again, by error code',
      labelNames: ['code'],
      registers,
    }),
    events: new Counter({
      name: 'tandem_events_total',
      help: 'Lines of the log, by event and level',
      labelNames: ['event', 'level'],
      registers,
    }),
  };
}

/** How far the target is behind, and whether the databases answer. */
function lagMetrics(registers: Registry[]) {
  return {
    lagSeconds: new Reading({
      name: 'tandem_lag_seconds',
      help: 'Age of the newest heartbeat committed in the target, by the clock of the source',
      registers,
    }),
    heartbeatDelay: new Histogram({
      name: 'tandem_heartbeat_delay_seconds',
      help: 'From the clock of the source to the commit in the target, for each heartbeat: what one change takes',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600],
      registers,
    }),
    lastDelay: new Reading({
      name: 'tandem_heartbeat_last_delay_seconds',
      help: 'Delay of the newest heartbeat committed in the target',
      registers,
    }),
    lagBytes: new Reading({
      name: 'tandem_lag_bytes',
      help: 'From the end of the log of the source back to the committed position',
      registers,
    }),
    logMessagesBehind: new Reading({
      name: 'tandem_log_messages_behind',
      help: 'Through Kafka: messages of each topic that the target has not had, over its partitions',
      labelNames: ['topic'],
      registers,
    }),
    sourceEnd: new Reading({
      name: 'tandem_source_wal_position_bytes',
      help: 'Where the log of the source ends, as a number; its slope is what the source writes',
      registers,
    }),
    databaseUp: new Reading({
      name: 'tandem_database_up',
      help: 'Whether the last look at the database was answered: 1 or 0',
      labelNames: ['side'],
      registers,
    }),
  };
}

/** What the source keeps for the slot, and how long that can go on. */
function slotMetrics(registers: Registry[]) {
  return {
    slotState: new Reading({
      name: 'tandem_slot_state',
      help: 'State of the replication slot: 1 for the one that it is in',
      labelNames: ['state'],
      registers,
    }),
    slotRetained: new Reading({
      name: 'tandem_slot_retained_bytes',
      help: 'Log that the source keeps for the slot',
      registers,
    }),
    slotBudget: new Reading({
      name: 'tandem_slot_budget_bytes',
      help: 'Log that the source may keep for a slot, its max_slot_wal_keep_size; absent without a limit',
      registers,
    }),
    slotBudgetLeft: new Reading({
      name: 'tandem_slot_budget_left_bytes',
      help: 'Log that the source may still write before the slot is lost; absent without a limit',
      registers,
    }),
    slotExhaustion: new Reading({
      name: 'tandem_slot_exhaustion_seconds',
      help: 'Until the slot is lost if the budget goes on shrinking as in the last minutes; +Inf while it does not',
      registers,
    }),
  };
}

/** What Kafka Connect says, each time somebody asks for the metrics; nothing without CONNECT_URL. */
function connectorMetrics(registers: Registry[]) {
  return {
    connectorState: new Reading({
      name: 'tandem_connector_state',
      help: 'State of the Debezium connector: 1 for the one that it is in',
      labelNames: ['state'],
      registers,
    }),
    connectorTaskState: new Reading({
      name: 'tandem_connector_task_state',
      help: 'State of each task of the connector: 1 for the one that it is in',
      labelNames: ['task', 'state'],
      registers,
    }),
  };
}

/** What waits, what is refused, what stands still. */
function recordMetrics(registers: Registry[]) {
  return {
    waiting: new Reading({
      name: 'tandem_waiting_rows',
      help: 'Rows of the lists tandem.held, tandem.unresolved and tandem.quarantine',
      labelNames: ['list', 'entity'],
      registers,
    }),
    waitingOldest: new Reading({
      name: 'tandem_waiting_oldest_seconds',
      help: 'Age of the oldest row of the list; absent while it is empty',
      labelNames: ['list'],
      registers,
    }),
    unreadMessages: new Reading({
      name: 'tandem_unread_messages',
      help: 'Messages of the log that nobody could read, and nobody has accepted',
      registers,
    }),
    openJobs: new Reading({
      name: 'tandem_open_jobs',
      help: 'Jobs that wait behind the stream',
      registers,
    }),
    oldestJob: new Reading({
      name: 'tandem_oldest_job_seconds',
      help: 'Age of the oldest open job; absent while there is none',
      registers,
    }),
    entityState: new Reading({
      name: 'tandem_entity_state',
      help: 'State of the entity: 1 for the one that it is in',
      labelNames: ['entity', 'state'],
      registers,
    }),
    accountRows: new Reading({
      name: 'tandem_account_rows',
      help: 'The account: rows of the root table (source), and what became of them',
      labelNames: ['entity', 'outcome'],
      registers,
    }),
    accountDifference: new Reading({
      name: 'tandem_account_difference_rows',
      help: 'Source rows that are neither applied, held, quarantined nor excluded',
      labelNames: ['entity'],
      registers,
    }),
    accountTime: new Reading({
      name: 'tandem_account_timestamp_seconds',
      help: 'When the account was counted last',
      registers,
    }),
  };
}

function backfillMetrics(registers: Registry[]) {
  return {
    backfillDone: new Reading({
      name: 'tandem_backfill_done_rows',
      help: 'Rows that the backfill has loaded (by table) or derived (by entity)',
      labelNames: ['stage', 'subject'],
      registers,
    }),
    backfillTotal: new Reading({
      name: 'tandem_backfill_total_rows',
      help: 'Rows that the backfill has to load or derive; an estimate until the subject is done',
      labelNames: ['stage', 'subject'],
      registers,
    }),
    chunkFailures: new Counter({
      name: 'tandem_backfill_chunk_failures_total',
      help: 'Chunks of the bulk derive that the target refused, so that a job derives their rows',
      labelNames: ['entity'],
      registers,
    }),
    mirrorTables: new Reading({
      name: 'tandem_mirror_tables',
      help: 'Tables of the mirror, by whether their copy is complete: loaded or loading',
      labelNames: ['state'],
      registers,
    }),
    entitiesToDerive: new Reading({
      name: 'tandem_entities_to_derive',
      help: 'Entities that the backfill has not derived completely',
      registers,
    }),
    copyConsistent: new Reading({
      name: 'tandem_copy_consistent',
      help: 'Whether the stream has passed the place where the last chunk was read: 1 or 0',
      registers,
    }),
  };
}

/** What `verify` finds. Nothing is shown before the first proof of this process. */
function proofMetrics(registers: Registry[]) {
  return {
    proofRanges: new Counter({
      name: 'tandem_proof_ranges_total',
      help: 'Ranges of rows that were compared, by proof and result: agrees, differs or unsettled',
      labelNames: ['proof', 'result'],
      registers,
    }),
    proofRows: new Counter({
      name: 'tandem_proof_rows_total',
      help: 'Rows that were compared, by proof',
      labelNames: ['proof'],
      registers,
    }),
    proofMismatches: new Counter({
      name: 'tandem_proof_mismatches_total',
      help: 'Rows that stayed different, by proof and by table or entity',
      labelNames: ['proof', 'subject'],
      registers,
    }),
    proofLastMismatches: new Reading({
      name: 'tandem_proof_last_pass_mismatches',
      help: 'Rows that stayed different in the last full pass, whichever process made it',
      labelNames: ['proof'],
      registers,
    }),
    proofLastPass: new Reading({
      name: 'tandem_proof_last_pass_timestamp_seconds',
      help: 'When the last full pass ended, whichever process made it',
      labelNames: ['proof'],
      registers,
    }),
  };
}
