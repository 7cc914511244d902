import type pg from 'pg';
import { configDifferences } from '../../connectors/debezium/connector-config.ts';
import type { ConnectorConfig } from '../../connectors/debezium/connector-secrets.ts';
import {
  failuresOf,
  isRunning,
  type ConnectorStatus,
} from '../../connectors/debezium/connector-status.ts';
import { kafkaClient } from '../../connectors/kafka/client.ts';
import { ensureTopics } from '../../connectors/kafka/topics.ts';
import { wantedTopics } from '../../connectors/kafka/wanted-topics.ts';
import { unpublishedTables } from '../../connectors/postgres/publication.ts';
import { isLost, readSlot } from '../../connectors/postgres/slot.ts';
import {
  readerText,
  readSlotReader,
  type SlotReader,
} from '../../connectors/postgres/slot-reader.ts';
import type { Mapping } from '../../core/entity.ts';
import { TandemError } from '../../core/errors.ts';
import type { Observer } from '../../core/ports.ts';
import { readUsages } from '../../core/usage.ts';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Connecting } from './connect-of.ts';
import { capturedTables, wantedConfig } from './wanted-config.ts';

type DeployContext = {
  readonly config: Config;
  readonly mapping: Mapping;
  readonly connecting: Connecting;
  readonly source: pg.Client;
  readonly observer: Observer;
  readonly report: (step: string, outcome: 'made' | 'there' | 'changed', detail: string) => void;
  readonly timeoutMs: number;
};

/**
 * Makes topics and connector, and waits until it reads the slot; safe to repeat.
 *
 * @throws TandemError `NOT_SET_UP`, `SLOT_LOST`, `SLOT_IN_USE`, `TABLE_UNPUBLISHED`,
 *   `CONNECTOR_INVALID`, `CONNECTOR_FAILED`, `TIMED_OUT`, and those of Kafka and Connect
 */
export async function deploy(context: DeployContext): Promise<void> {
  const { config, mapping, connecting, source, report } = context;
  const { connect, rest } = connecting;
  await requirePublished(context);
  const wanted = await wantedConfig(source, config, mapping, connecting);
  const found = await rest.config(connect.connector);
  await requireOwnSlot(context, found);
  await rest.validate(connect.connector, wanted);
  await makeTopics(context);

  const before = await rest.status(connect.connector);
  const changed = found === null ? [] : configDifferences(wanted, found);
  if (found === null || changed.length > 0) await rest.put(connect.connector, wanted);
  const names = changed.map(({ name }) => name).join(', ');
  if (found === null) report('connector', 'made', connect.connector);
  else if (changed.length > 0) report('connector', 'changed', `${connect.connector}: ${names}`);
  else report('connector', 'there', connect.connector);
  if (before !== null) await revive(context, before);
  const hadFailed = before !== null && failuresOf(before).length > 0;
  const reader = await waitUntilRead(context, { isNew: found === null, hadFailed });
  report('slot', 'there', `${config.slot}: read by ${readerText(reader)}`);
}

/** Topics of tables that nobody publishes would stay empty without a word. */
async function requirePublished({ config, mapping, source }: DeployContext): Promise<void> {
  const { publication: name } = config;
  const { tables: wanted } = readUsages(mapping);
  const tables = capturedTables(mapping).map((table) => ({
    ...table,
    columns: wanted.get(table.name)?.columns ?? [],
  }));
  const unpublished = await unpublishedTables(source, { name, tables });
  if (unpublished.size === 0) return;
  if (unpublished.size === tables.length)
    throw new TandemError('NOT_SET_UP', { publication: name });
  const names = [...unpublished].join(', ');
  throw new TandemError('TABLE_UNPUBLISHED', { publication: name, tables: names });
}

/** A slot has one reader: whoever has it now would go on, and Debezium would wait without a word. */
async function requireOwnSlot(
  { config, source }: DeployContext,
  found: ConnectorConfig | null,
): Promise<void> {
  const slot = await readSlot(source, config.slot);
  if (!slot.exists) throw new TandemError('NOT_SET_UP', { slot: config.slot });
  if (isLost(slot)) throw new TandemError('SLOT_LOST', { slot: config.slot });
  const reader = await readSlotReader(source, config.slot);
  if (reader === null || (found?.['slot.name'] === config.slot && isDebezium(reader))) return;
  throw slotInUse(config, reader);
}

function slotInUse({ slot }: Config, { pid, application }: SlotReader): TandemError {
  return new TandemError('SLOT_IN_USE', { slot, pid, reader: application ?? 'unknown' });
}

/** It calls itself so; null: another role's, whose name we may not see. */
const isDebezium = ({ application }: SlotReader) =>
  application === null || application.startsWith('Debezium');

async function makeTopics({ connecting, mapping, observer, report }: DeployContext): Promise<void> {
  const { access, topics } = connecting.kafka;
  const wanted = wantedTopics(topics, capturedTables(mapping));
  const made = await ensureTopics(kafkaClient(access, observer), wanted, observer);
  const count = made.length === 0 ? 'all there' : `${made.length} made`;
  report('topics', made.length === 0 ? 'there' : 'made', `${topics.prefix}.…: ${count}`);
}

/** What was paused, stopped or has failed goes on. */
async function revive({ connecting }: DeployContext, before: ConnectorStatus): Promise<void> {
  const { connect, rest } = connecting;
  if (before.state === 'PAUSED' || before.state === 'STOPPED') await rest.resume(connect.connector);
  if (failuresOf(before).length > 0) await rest.restart(connect.connector, true);
}

/** Connect shows the old failure for a moment after the restart. */
const OLD_FAILURE_MS = 5_000;

async function waitUntilRead(
  { config, connecting, source, timeoutMs }: DeployContext,
  { isNew, hadFailed }: { readonly isNew: boolean; readonly hadFailed: boolean },
): Promise<SlotReader> {
  const { connect, rest } = connecting;
  const start = systemClock.now();
  for (;;) {
    const status = await rest.status(connect.connector);
    const reader = await readSlotReader(source, config.slot);
    // Somebody was faster, and Debezium would go on trying: it is told to stop, where it is new.
    if (reader !== null && !isDebezium(reader)) {
      if (isNew) await rest.delete(connect.connector);
      throw slotInUse(config, reader);
    }
    if (status !== null && isRunning(status) && reader !== null) return reader;
    const waitedMs = systemClock.now() - start;
    const [failure] = status === null ? [] : failuresOf(status);
    if (failure !== undefined && (!hadFailed || waitedMs > OLD_FAILURE_MS)) {
      const { part, error } = failure;
      throw new TandemError('CONNECTOR_FAILED', { connector: connect.connector, part, error });
    }
    if (waitedMs > timeoutMs) {
      const tasks = status?.tasks.map(({ state }) => state).join(' ') || 'none';
      const facts = { connector: connect.connector, state: status?.state ?? 'unknown', tasks };
      const slot = reader === null ? 'nobody reads it' : `read by ${readerText(reader)}`;
      throw new TandemError('TIMED_OUT', { ...facts, slot });
    }
    await systemClock.sleep(100);
  }
}
