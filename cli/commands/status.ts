import { withBoth, type Pair } from '../../connectors/postgres/pair.ts';
import { runOneHeartbeat } from '../one-heartbeat.ts';
import { walEnd } from '../../connectors/postgres/wal-position.ts';
import { formatLsn } from '../../core/version.ts';
import { hasCaughtUp, wantedOf } from '../../monitoring/lag.ts';
import { lookAtConnector } from '../../monitoring/connector-sight.ts';
import { readStatus, type Status } from '../../monitoring/status.ts';
import { awaitDrained } from '../await-drained.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command, type Context, type ExitCode, type Flags } from '../command.ts';
import { briefly } from '../connector/connect-of.ts';
import { logStateLines, readLogState } from '../log-state.ts';
import { statusLines, type Rates } from '../status-lines.ts';
import { timeoutOf } from '../timeout-flag.ts';
import { formatSeconds } from '../units.ts';

/** `tandem status [--json] [--watch] [--caught-up | --drained [--timeout 60s]]`. */
export const status: Command = {
  options: [
    { flags: '--json', help: 'print JSON' },
    { flags: '--watch', help: 'show it again every two seconds until stopped' },
    {
      flags: '--caught-up',
      help: 'wait until all that the source has committed by now is in the target; exit code 3 if not',
    },
    {
      flags: '--drained',
      help: 'through Kafka, once relay or connector are stopped: wait until the target has all that they read; exit code 3 if not',
    },
    {
      flags: '--timeout <duration>',
      help: 'how long --caught-up and --drained wait (default 60s)',
    },
  ],
  details: 'The rows are counted, not estimated: on millions of rows that takes some seconds.',

  async run(context, flags) {
    const timeoutMs = timeoutOf(context, flags, '60s');
    if (timeoutMs === null) return EXIT.usage;
    const config = await context.config();
    return await withBoth(config, 'status', async (source, target) => {
      const pair = { source, target };
      if (flags['caughtUp'] === true) return await waitUntilCaughtUp(context, pair, timeoutMs);
      if (flags['drained'] === true) return await awaitDrained(context, pair, timeoutMs);
      return await show(context, pair, flags);
    });
  },
};

async function show(context: Context, pair: Pair, flags: Flags): Promise<ExitCode> {
  const isWatched = flags['watch'] === true;
  const signal = isWatched ? context.stopSignal() : new AbortController().signal;
  const config = await context.config();
  const { stream, slot, kafka } = config;
  const connect = kafka?.connect ?? null;
  const { mapping } = await context.mapping();
  const draw =
    isWatched && context.out.isTerminal && flags['json'] !== true ? await redraw() : null;
  let last: { readonly atMs: number; readonly bytes: number } | null = null;
  do {
    const found = await readStatus({ ...pair, stream, slot, mapping });
    const connector =
      connect === null ? null : await lookAtConnector(briefly(connect), connect.connector);
    const log = await readLogState(pair.target, config, mapping, await context.observer());
    const here = { atMs: Date.now(), bytes: walBytes(found) };
    const rates = ratesBetween(last, here);
    last = here;
    const lines =
      flags['json'] === true
        ? [JSON.stringify({ ...found, connector, log }, plain)]
        : statusLines(found, rates, connector, log === null ? [] : logStateLines(log));
    if (draw === null) for (const line of lines) context.out.line(line);
    else draw(lines.join('\n'));
    if (isWatched) await systemClock.sleep(WATCH_MS, signal);
  } while (isWatched && !signal.aborted);
  return EXIT.ok;
}

const WATCH_MS = 2_000;

async function redraw(): Promise<(text: string) => void> {
  const { default: logUpdate } = await import('log-update');
  return logUpdate;
}

function walBytes({ lag }: Status): number {
  const [high = '0', low = '0'] = (lag.position ?? '0/0').split('/');
  return parseInt(high, 16) * 2 ** 32 + parseInt(low, 16);
}

function ratesBetween(
  before: { readonly atMs: number; readonly bytes: number } | null,
  now: { readonly atMs: number; readonly bytes: number },
): Rates {
  if (before === null) return null;
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  return { bytesPerSecond: Math.max(0, (now.bytes - before.bytes) / seconds) };
}

/** Maps and bigints have no JSON form of their own. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** All that the source had committed when asked is visible in the target, and no job is open. */
async function waitUntilCaughtUp(
  context: Context,
  { source, target }: Pair,
  timeoutMs: number,
): Promise<ExitCode> {
  const { stream } = await context.config();
  const { mapping } = await context.mapping();
  const wanted = wantedOf(mapping);
  const asked = formatLsn(await walEnd(source));
  // An idle source writes nothing that could move the position past this point.
  await runOneHeartbeat(source);
  const start = Date.now();
  while (Date.now() - start < timeoutMs) {
    if (await hasCaughtUp(target, stream, asked, wanted)) {
      context.out.line(`caught up with ${asked}`);
      return EXIT.ok;
    }
    await systemClock.sleep(50);
  }
  context.out.line(`not caught up with ${asked} after ${formatSeconds(timeoutMs / 1000)}`);
  return EXIT.notYet;
}
