import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { formatCount } from '../../cli/units.ts';
import { walEnd } from '../../connectors/postgres/wal-position.ts';
import { textRows } from '../../connectors/postgres/connection.ts';
import { formatLsn } from '../../core/version.ts';
import { StepFailed, type Servers, type Stage } from '../stage.ts';
import { Stream } from '../stream.ts';
import { waitingIn, type LogView } from './log-view.ts';

const POLL_MS = 500;
const LINE_MS = 5_000;
/** The group gives the partitions of a silent member to others after 15 s. */
const PATIENCE_MS = 120_000;

/** SIGKILL under traffic; another process goes on where the target stands. */
export async function killConsumer(
  stage: Stage,
  servers: Servers,
  parts: {
    readonly stream: Stream;
    readonly view: LogView;
    readonly source: pg.Client;
    readonly target: pg.Client;
    readonly streamName: string;
    readonly args: readonly string[];
  },
): Promise<Stream> {
  const { screen, interruption } = stage;
  const { stream, source, target, args } = parts;
  screen.step(
    'Kill the consumer, and start another one',
    'The positions of the partitions are in the target, moved by the transactions that brought the rows. So there is nothing to mend: half a batch is no batch, and what comes twice changes nothing.',
  );
  screen.line(screen.style('cyan', `$ kill -9 ${stream.pid}`));
  await stream.kill();
  const killedAt = await walEnd(source);
  screen.command(args);
  const next = new Stream(stage, servers, args);
  screen.text('Kafka gives the partitions of a silent consumer away after 15 s.');
  const start = Date.now();
  let [most, lineAt] = [0, start + LINE_MS];
  while (!(await interruption.guard(isPast(target, parts.streamName, formatLsn(killedAt))))) {
    if (Date.now() - start > PATIENCE_MS) throw new StepFailed('the new consumer does not go on');
    const waiting = waitingIn(await interruption.guard(parts.view.read()));
    most = Math.max(most, waiting);
    const line = `${formatCount(waiting)} messages wait in the log`;
    if (screen.isTerminal) screen.draw([line]);
    else if (Date.now() >= lineAt) {
      screen.line(line);
      lineAt += LINE_MS;
    }
    await interruption.guard(pause(POLL_MS));
  }
  screen.last(`at most ${formatCount(most)} messages waited in the log`);
  screen.done('the new one has all that was committed before the kill');
  return next;
}

async function isPast(target: pg.Client, stream: string, lsn: string): Promise<boolean> {
  const [row] = await textRows(
    target,
    'select position::pg_lsn >= $2::pg_lsn from tandem.position where stream = $1',
    [stream, lsn],
  );
  return row?.[0] === 't';
}
