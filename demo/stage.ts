import { openClient, type Database, type Side } from '../connectors/postgres/connection.ts';
import type pg from 'pg';
import { startTandem, type ChildOptions, type Settings } from './child.ts';
import type { Cleanup } from './cleanup.ts';
import type { Interruption } from './interruption.ts';
import type { DemoOptions } from './options.ts';
import type { Screen } from './screen.ts';
import type { PostgresServer } from './servers/postgres.ts';

/** What every step works with. */
export type Stage = {
  readonly options: DemoOptions;
  readonly screen: Screen;
  readonly cleanup: Cleanup;
  readonly interruption: Interruption;
};

/** The two servers, and how the commands are told of them. */
export type Servers = {
  readonly source: PostgresServer;
  readonly target: PostgresServer;
  readonly settings: Settings;
};

/** A step that did not do what it should; the lines say more than the message. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[] = []) {
    super(message);
    this.lines = lines;
  }
}

/** A session to each server. */
export type Pair = { readonly source: pg.Client; readonly target: pg.Client };

/** Opens a session to each server; they are closed with the demo. */
export async function openPair({ cleanup, interruption }: Stage, servers: Servers): Promise<Pair> {
  const open = async (side: Side) => {
    const database: Database = {
      side,
      client: { connectionString: servers[side].connectionString() },
    };
    const client = await openClient(database, 'demo');
    cleanup.defer(() => client.end());
    return client;
  };
  const [source, target] = await interruption.guard(Promise.all([open('source'), open('target')]));
  return { source, target };
}

const PATIENCE_MS = 6_000;

/** Runs a command to its end. Throws `StepFailed` unless its exit code is 0. */
export async function runTandem(
  { cleanup, interruption, screen }: Stage,
  args: readonly string[],
  options: ChildOptions & { /** What a person would type. */ readonly shown?: readonly string[] },
): Promise<void> {
  screen.command(options.shown ?? args);
  const child = startTandem(args, options);
  cleanup.defer(async () => void (await child.stop(PATIENCE_MS)));
  const { code, signal } = await interruption.guard(child.ended);
  if (code === 0) return;
  const how =
    code === null ? `was ended by ${signal ?? 'a signal'}` : `ended with exit code ${code}`;
  throw new StepFailed(`tandem ${args.join(' ')} ${how}`);
}
