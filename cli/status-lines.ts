import type { EntityAccount } from '../monitoring/account.ts';
import { sightLines, type ConnectorSight } from '../monitoring/connector-sight.ts';
import type { InactiveEntity } from '../monitoring/entity-states.ts';
import type { Status, Waiting } from '../monitoring/status.ts';
import { formatCount, formatSeconds, formatSize } from './units.ts';

/** What changed between two readings, per second; null at the first. */
export type Rates = { readonly bytesPerSecond: number } | null;

/** `tandem status` for a person. */
export function statusLines(
  status: Status,
  rates: Rates,
  connector: ConnectorSight | null = null,
  log: readonly string[] = [],
): string[] {
  const { slot, lag, mirror } = status;
  const lines = [`phase        ${status.phase}${phaseNote(status)}`];
  if (slot.exists) {
    const reader = slot.isActive ? `read by process ${slot.activePid ?? '?'}` : 'nobody reads it';
    const kept =
      slot.retainedBytes === null ? '' : `, keeps ${formatSize(Number(slot.retainedBytes))} of WAL`;
    lines.push(`slot         ${slot.name}: ${reader}${kept}`);
  } else {
    lines.push(`slot         ${slot.name}: not there; next: tandem setup`);
  }
  if (connector !== null) {
    lines.push(...sightLines(connector).map((line, i) => `${i === 0 ? CONNECTOR : INDENT}${line}`));
  }
  lines.push(...log);
  if (status.phase === 'not set up') return lines;
  const seconds = lag.seconds === null ? 'no heartbeat yet' : `${lag.seconds.toFixed(1)} s`;
  const bytes = lag.bytes === null ? '?' : formatSize(lag.bytes);
  const rate = rates === null ? '' : `, ${formatSize(rates.bytesPerSecond)}/s`;
  lines.push(`lag          ${seconds}, ${bytes}`);
  lines.push(`position     ${lag.position ?? '?'}${rate}`);
  if (status.interruption !== null) {
    const { error, ageSeconds } = status.interruption;
    lines.push(`interrupted  ${error}, ${formatSeconds(ageSeconds)} ago; nothing has come since`);
  }
  lines.push(`mirror       ${mirror.loaded} of ${mirror.tables} tables loaded`);
  for (const { table, state, reason, since } of status.unsettled) {
    const why = reason === null ? UNSETTLED[state] : `stopped: ${reason}`;
    lines.push(`             ${table}: ${why}, since ${since.slice(0, 19)}`);
  }
  lines.push(`open jobs    ${status.openJobs}`);
  lines.push(`held         ${waitingText(status.held)}`);
  lines.push(`unresolved   ${waitingText(status.unresolved)}`);
  lines.push(`quarantined  ${waitingText(status.quarantined)}`);
  lines.push(`accepted     ${waitingText(status.accepted)}`);
  if (status.unread.rows > 0) {
    const next = 'tandem quarantine list --kind messages';
    lines.push(`unread       ${waitingText(status.unread)}: messages of the log; next: ${next}`);
  }
  for (const one of status.inactive) {
    lines.push(
      `not derived  ${one.entity}: ${inactiveText(one)}; next: tandem resume ${one.entity}`,
    );
  }
  for (const { entity, since } of status.changedMappings) {
    const next = `tandem reprocess --entity ${entity}`;
    lines.push(`mapping      ${entity}: changed since ${minuteOf(since)}; next: ${next}`);
  }
  for (const { journal, text } of status.journalGaps) {
    lines.push(`journal gap  ${journal}: ${text}`);
  }
  lines.push(`proof        ${proofText(status)}`);
  if (status.entities.length > 0) lines.push('', ...accountLines(status.entities));
  return lines;
}

const CONNECTOR = 'connector    ';
const INDENT = ' '.repeat(CONNECTOR.length);

const UNSETTLED: Readonly<Record<Status['unsettled'][number]['state'], string>> = {
  stopped: 'stopped',
  waiting: 'is to be read beside the stream',
  joining: 'is being read beside the stream',
};

function phaseNote({ phase, mirror, unsettled }: Status): string {
  const joins = unsettled.some(({ state }) => state !== 'stopped');
  if (phase === 'catching up' && joins && mirror.isConsistent) {
    return ': a table is being read beside the stream';
  }
  if (phase === 'catching up') return ': the copy is consistent once the stream has passed its end';
  return phase === 'stopped' && mirror.loaded > 0 ? ': nobody streams; next: tandem run' : '';
}

/** `paused since 2026-01-31 08:00: reason`. */
export function inactiveText({ state, reason, since }: InactiveEntity): string {
  return `${state} since ${minuteOf(since)}${reason === null ? '' : `: ${reason}`}`;
}

/** From ISO 8601. */
const minuteOf = (time: string): string => time.slice(0, 16).replace('T', ' ');

function proofText({ proof }: Status): string {
  if (proof === null) return 'no full pass yet; see: tandem verify';
  return `${proof.verdict}, ${formatSeconds(proof.ageSeconds)} ago`;
}

function waitingText({ rows, oldestSeconds }: Waiting): string {
  return oldestSeconds === null
    ? formatCount(rows)
    : `${formatCount(rows)}, the oldest for ${formatSeconds(oldestSeconds)}`;
}

/** Per entity: source rows = applied + held + quarantined + excluded, and a note at the right. */
function accountLines(accounts: readonly EntityAccount[]): string[] {
  const head = ['entity', 'source rows', 'applied', 'held', 'quarantined', 'excluded', ''];
  const rows = accounts.map((account) => [
    account.entity,
    formatCount(account.sourceRows),
    formatCount(account.applied),
    formatCount(account.held),
    formatCount(account.quarantined),
    formatCount([...account.excluded.values()].reduce((sum, count) => sum + count, 0)),
    notes(account),
  ]);
  const widths = head.map((cell, i) =>
    Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) =>
        i === 0 || i === 6 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function notes(account: EntityAccount): string {
  const rules = [...account.excluded].map(([rule, count]) => `${rule} ${formatCount(count)}`);
  return [
    account.state === 'active' ? '' : account.state,
    ...rules,
    account.unresolved > 0 ? `${formatCount(account.unresolved)} with a missing parent` : '',
    account.notRemoved > 0 ? `${formatCount(account.notRemoved)} gone but not removed` : '',
    account.difference === 0 ? '' : `${formatCount(account.difference)} UNACCOUNTED`,
  ]
    .filter((note) => note !== '')
    .join(', ');
}
