import { ident } from '../../connectors/postgres/sql.ts';
import type { NoSlot, SlotState } from '../../connectors/postgres/slot.ts';
import { formatSeconds, formatSize } from '../units.ts';
import { failure, listed, ok, warning, type CheckResult, type Topic } from './result.ts';
import type { SourceFacts } from './source-facts.ts';

export type SourceSetup = {
  readonly slot: SlotState | NoSlot;
  readonly heartbeatSeconds: number;
};

const topic = (name: string, why: string): Topic => ({ subject: 'source', name, why });

/** Checks of the source's server and role; those of its tables are in table-checks.ts. */
export function checkSource(facts: SourceFacts, setup: SourceSetup): readonly CheckResult[] {
  return [
    checkVersion(facts),
    checkStandby(facts),
    checkEncoding(facts),
    checkWalLevel(facts),
    checkSlots(facts, setup.slot),
    checkSenders(facts),
    checkSenderTimeout(facts),
    checkReplicationRole(facts),
    checkSlot(facts, setup.slot),
    checkKeepSize(facts),
    checkOpenTransactions(facts),
    checkPrepared(facts),
    checkHeartbeat(facts, setup.heartbeatSeconds),
  ];
}

function checkVersion({ version }: SourceFacts): CheckResult {
  const it = topic('version', 'Logical decoding with publications exists since PostgreSQL 10.');
  const shown = `PostgreSQL ${Math.floor(version / 10_000)}`;
  return version >= 100_000
    ? ok(it, shown)
    : failure(it, shown, 'Upgrade the source to PostgreSQL 10 or later.');
}

function checkStandby({ isInRecovery, version }: SourceFacts): CheckResult {
  const it = topic(
    'primary',
    'A publication can be made on a primary only, and a standby decodes only since PostgreSQL 16.',
  );
  if (!isInRecovery) return ok(it, 'is a primary');
  const mend = 'Name the primary in SOURCE_URL.';
  return version < 160_000
    ? failure(it, 'is a standby older than PostgreSQL 16', mend)
    : warning(
        it,
        'is a standby',
        `${mend} If it has to be this one: make the publication on the primary, set HEARTBEAT_SECONDS=0, and have hot_standby_feedback = on.`,
      );
}

function checkEncoding({ encoding }: SourceFacts): CheckResult {
  const it = topic(
    'encoding',
    'Values travel as text; an encoding that is not declared cannot be converted.',
  );
  if (encoding !== 'SQL_ASCII') return ok(it, encoding);
  return failure(
    it,
    'SQL_ASCII: the server does not know what its bytes mean',
    "Find out what they are, and convert: pg_dump --encoding=…, then create database … encoding 'UTF8'.",
  );
}

function checkWalLevel({ walLevel }: SourceFacts): CheckResult {
  const it = topic(
    'wal_level',
    'Changes of rows can be read from the WAL only when it is logical.',
  );
  if (walLevel === 'logical') return ok(it, walLevel);
  return failure(
    it,
    walLevel,
    'alter system set wal_level = logical; then restart the source (managed services: rds.logical_replication = 1 or the like).',
  );
}

function checkSlots({ usedSlots, maxSlots }: SourceFacts, slot: SlotState | NoSlot): CheckResult {
  const it = topic('replication slots', 'Tandem needs one; it remembers what was read.');
  const found = `${usedSlots} of ${maxSlots} used`;
  if (slot.exists || usedSlots < maxSlots) return ok(it, found);
  return failure(
    it,
    found,
    `alter system set max_replication_slots = ${maxSlots + 5}; then restart the source, or drop one that nobody reads.`,
  );
}

function checkSenders({ usedSenders, maxSenders }: SourceFacts): CheckResult {
  const it = topic('WAL senders', 'The stream needs one connection of this kind.');
  const found = `${usedSenders} of ${maxSenders} used`;
  if (usedSenders < maxSenders) return ok(it, found);
  return failure(
    it,
    found,
    `alter system set max_wal_senders = ${maxSenders + 5}; then restart the source.`,
  );
}

function checkSenderTimeout({ senderTimeout }: SourceFacts): CheckResult {
  const it = topic(
    'wal_sender_timeout',
    'The source ends a stream that did not answer for so long; Tandem answers every few seconds.',
  );
  const ms = /^(\d+)(ms|s)$/.exec(senderTimeout);
  const seconds = ms === null ? Infinity : Number(ms[1]) / (ms[2] === 'ms' ? 1000 : 1);
  if (senderTimeout === '0') {
    return warning(
      it,
      '0: a connection that is dead is never noticed, and its slot stays in use',
      "alter system set wal_sender_timeout = '60s'; select pg_reload_conf();",
    );
  }
  return seconds >= 15
    ? ok(it, senderTimeout)
    : warning(
        it,
        `${senderTimeout} is short`,
        "alter system set wal_sender_timeout = '60s'; select pg_reload_conf();",
      );
}

function checkReplicationRole({ role, mayReplicate }: SourceFacts): CheckResult {
  const it = topic(
    'replication privilege',
    'Slots are made and read by roles with this attribute only.',
  );
  if (mayReplicate) return ok(it, `${role} has it`);
  return failure(
    it,
    `${role} lacks it`,
    `alter role ${ident(role)} replication; (Amazon RDS: grant rds_replication to ${ident(role)};)`,
  );
}

function checkSlot({ database }: SourceFacts, slot: SlotState | NoSlot): CheckResult {
  const it = topic(
    'slot',
    'It is where the stream goes on; one that lost WAL, or that somebody else reads, cannot be used.',
  );
  if (!slot.exists) return ok(it, `${slot.name} does not exist yet; setup creates it`);
  const fresh = 'tandem setup --new-slot, then tandem backfill';
  if (slot.plugin !== 'pgoutput') {
    return failure(
      it,
      `${slot.name} belongs to the plugin ${slot.plugin ?? '(physical)'}`,
      'Choose another name with TANDEM_SLOT.',
    );
  }
  if (slot.database !== database) {
    return failure(
      it,
      `${slot.name} belongs to the database ${slot.database}`,
      'Choose another name with TANDEM_SLOT.',
    );
  }
  if (slot.walStatus === 'lost' || slot.invalidationReason !== null) {
    return failure(
      it,
      `${slot.name} is lost: ${slot.invalidationReason ?? 'the source removed WAL that it needed'}`,
      fresh,
    );
  }
  if (slot.isActive) {
    return warning(
      it,
      `${slot.name} is being read by process ${slot.activePid}`,
      `If that is not Tandem: select pg_terminate_backend(${slot.activePid});`,
    );
  }
  if (slot.walStatus === 'unreserved') {
    return warning(it, `${slot.name} is about to be lost`, 'Start tandem run now.');
  }
  const kept =
    slot.retainedBytes === null ? '' : `, keeps ${formatSize(Number(slot.retainedBytes))} of WAL`;
  return ok(it, `${slot.name} exists${kept}`);
}

function checkKeepSize({ slotKeepMb }: SourceFacts): CheckResult {
  const it = topic(
    'max_slot_wal_keep_size',
    'While Tandem is down, the source keeps WAL for it: without a limit until its disk is full, with one until the slot is lost.',
  );
  if (slotKeepMb === null) {
    return warning(
      it,
      'unlimited (the setting exists since PostgreSQL 13): a Tandem that stays down fills the disk of the source',
      'Watch the free space; tandem teardown lets the WAL go.',
    );
  }
  if (slotKeepMb < 0) {
    return warning(
      it,
      'unlimited: a Tandem that stays down fills the disk of the source',
      "alter system set max_slot_wal_keep_size = '50GB'; select pg_reload_conf(); with as much as the disk has to spare.",
    );
  }
  const size = formatSize(slotKeepMb * 1024 * 1024);
  return warning(
    it,
    `${size}: a Tandem that stays down for longer than it takes to write that loses its slot and needs a new backfill`,
    'Compare it with the WAL written in a day: select pg_current_wal_lsn(); twice.',
  );
}

function checkOpenTransactions({ longTransactions }: SourceFacts): CheckResult {
  const it = topic(
    'long transactions',
    'The slot is created when all transactions that were writing have ended.',
  );
  if (longTransactions.length === 0) return ok(it, 'none that writes for over a minute');
  const shown = longTransactions.map(
    ({ pid, seconds, application }) =>
      `process ${pid}${application === '' ? '' : ` (${application})`} for ${formatSeconds(seconds)}`,
  );
  const first = longTransactions[0]?.pid ?? 0;
  return warning(it, listed(shown), `Let it end, or: select pg_terminate_backend(${first});`);
}

function checkPrepared({ preparedTransactions }: SourceFacts): CheckResult {
  const it = topic(
    'prepared transactions',
    'A forgotten one holds the creation of the slot, and WAL, for ever.',
  );
  if (preparedTransactions === 0) return ok(it, 'none');
  return warning(
    it,
    `${preparedTransactions} open`,
    'select gid, prepared, owner from pg_prepared_xacts; then commit prepared or rollback prepared each.',
  );
}

/** PostgreSQL 17 added whether to flush. */
const EMIT_ARGUMENTS = (version: number) =>
  version >= 170_000 ? 'boolean, text, text, boolean' : 'boolean, text, text';

function checkHeartbeat(facts: SourceFacts, seconds: number): CheckResult {
  const it = topic(
    'heartbeats',
    'Small messages in the WAL measure the lag from end to end, and move an idle slot on.',
  );
  if (seconds === 0) return ok(it, 'switched off; lag is known in bytes only');
  if (facts.mayEmit && !facts.isInRecovery) return ok(it, `every ${seconds} s`);
  return facts.isInRecovery
    ? failure(it, 'a standby cannot be written', 'HEARTBEAT_SECONDS=0')
    : failure(
        it,
        `${facts.role} may not call pg_logical_emit_message`,
        `grant execute on function pg_logical_emit_message(${EMIT_ARGUMENTS(facts.version)}) to ${ident(facts.role)}; Or HEARTBEAT_SECONDS=0`,
      );
}
