import type pg from 'pg';
import { setTimeout as pause } from 'node:timers/promises';
import { formatCount, formatSize } from '../cli/units.ts';
import type { Mapping } from '../core/entity.ts';
import { account, type EntityAccount } from '../monitoring/account.ts';
import { readLag, type Lag } from '../monitoring/lag.ts';
import type { Stage } from './stage.ts';
import type { Stream } from './stream.ts';
import type { Traffic } from './traffic.ts';

/** What the live status shows. */
type LiveStatus = {
  readonly second: number;
  readonly seconds: number;
  readonly lag: { readonly seconds: number | null; readonly bytes: number | null };
  readonly legacy: Flow;
  readonly tandem: Flow;
  readonly entities: readonly {
    readonly name: string;
    readonly rows: number;
    readonly added: number;
  }[];
};
type Flow = { readonly perSecond: number | null; readonly total: number };

/**
 * How long the newest heartbeat took, from the source's clock to the target's commit. When none
 * has come for longer than they are apart, the target is at least as far behind as that one is old.
 */
export function lagSeconds(lag: Lag, heartbeatSeconds: number): number | null {
  if (lag.seconds === null) return null;
  return lag.seconds > 2 * heartbeatSeconds ? lag.seconds : lag.lastDelaySeconds;
}

/** What the live phase ended with. A backfill of minutes leaves changes that take a while. */
export function verdict({ lag }: LiveStatus): string {
  const keepsUp = lag.seconds !== null && lag.seconds < KEEPS_UP_SECONDS;
  return keepsUp ? 'it keeps up' : 'still catching up with what waited during the backfill';
}

const KEEPS_UP_SECONDS = 3;

const lagText = ({ seconds }: LiveStatus['lag']) =>
  seconds === null ? 'not known yet' : `${seconds.toFixed(seconds < 10 ? 2 : 0)} s`;
const sizeText = ({ bytes }: LiveStatus['lag']) => (bytes === null ? '?' : formatSize(bytes));
const rateText = ({ perSecond }: Flow) => `${formatCount(perSecond ?? 0)} changes/s`;

/** The block that is drawn again and again. */
export function liveLines(status: LiveStatus): string[] {
  const { lag, legacy, tandem, entities } = status;
  const flow = (of: Flow) =>
    `${rateText(of).padStart(15)}  ${formatCount(of.total).padStart(8)} so far`;
  return [
    `live             ${Math.round(status.second)} of ${status.seconds} s`,
    `lag              ${lagText(lag)}${lag.seconds === null ? '' : ' from commit to commit'}, ${sizeText(lag)} of log to read`,
    `legacy system  ${flow(legacy)}`,
    `Tandem         ${flow(tandem)}, in the tables it follows`,
    '',
    ...inTwoColumns(entities.map(entityCell)),
  ];
}

function entityCell({ name, rows, added }: LiveStatus['entities'][number]): string {
  const change = added === 0 ? '' : `${added > 0 ? '+' : '-'}${formatCount(Math.abs(added))}`;
  return `${name.padEnd(18)}${formatCount(rows).padStart(9)}${change.padStart(7)}`;
}

function inTwoColumns(cells: readonly string[]): string[] {
  const half = Math.ceil(cells.length / 2);
  return cells.slice(0, half).map((cell, i) => `${cell}     ${cells[half + i] ?? ''}`.trimEnd());
}

/** The same in one line, where nothing can be drawn again. */
export function liveLine(status: LiveStatus): string {
  const { second, seconds, lag, legacy, tandem, entities } = status;
  const rows = entities.reduce((sum, entity) => sum + entity.rows, 0);
  return [
    `${Math.round(second)} of ${seconds} s: lag ${lagText(lag)} and ${sizeText(lag)}`,
    `legacy system ${rateText(legacy)}`,
    `Tandem ${rateText(tandem)}`,
    `${formatCount(rows)} rows in the target`,
  ].join(', ');
}

const DRAW_MS = 500;
const LINE_MS = 5_000;
/** Rows are counted: on millions that takes seconds, and must not become the main load. */
const COUNT_SHARE = 0.25;

/** Shows the stream at work for `seconds`, and returns how it stood at the end. */
export async function watchLive(
  stage: Stage,
  parts: {
    readonly source: pg.Client;
    readonly target: pg.Client;
    readonly mapping: Mapping;
    readonly streamName: string;
    readonly heartbeatSeconds: number;
    readonly traffic: Traffic;
    readonly stream: Stream;
  },
): Promise<LiveStatus> {
  const { interruption, screen, options } = stage;
  const { source, target, mapping, traffic, stream } = parts;
  const { seconds } = options;
  const start = Date.now();
  const end = start + seconds * 1000;
  let lineAt = start + LINE_MS;
  const first = await interruption.guard(account(target, mapping));
  let latest = first;
  let countAt = start + 1_000;
  for (;;) {
    const now = Date.now();
    if (now >= countAt) {
      latest = await interruption.guard(account(target, mapping));
      countAt = Date.now() + Math.max(1_000 - DRAW_MS, (Date.now() - now) / COUNT_SHARE);
    }
    const lag = await interruption.guard(readLag(source, target, parts.streamName));
    const status: LiveStatus = {
      second: Math.min(seconds, (Date.now() - start) / 1000),
      seconds,
      lag: { seconds: lagSeconds(lag, parts.heartbeatSeconds), bytes: lag.bytes },
      legacy: { perSecond: traffic.perSecond(), total: traffic.changes },
      tandem: { perSecond: stream.perSecond(), total: stream.changes },
      entities: rowsSince(first, latest),
    };
    const isLast = Date.now() >= end;
    if (screen.isTerminal) screen.draw(liveLines(status));
    else if (isLast || now >= lineAt) {
      screen.line(liveLine(status));
      lineAt += LINE_MS;
    }
    if (isLast) {
      screen.settle();
      return status;
    }
    await interruption.guard(pause(Math.max(0, Math.min(DRAW_MS, end - Date.now()))));
  }
}

function rowsSince(
  first: readonly EntityAccount[],
  latest: readonly EntityAccount[],
): LiveStatus['entities'] {
  const before = new Map(first.map(({ entity, applied }) => [entity, applied]));
  return latest.map(({ entity, applied }) => ({
    name: entity,
    rows: applied,
    added: applied - (before.get(entity) ?? 0),
  }));
}
