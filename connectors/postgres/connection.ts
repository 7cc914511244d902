import pg from 'pg';
import { TandemError, type ErrorCode } from '../../core/errors.ts';

export type Side = 'source' | 'target';

/** One of the two databases. `client` is what the driver needs: host, port, user, TLS and so on. */
export type Database = {
  readonly side: Side;
  readonly client: pg.ClientConfig;
  /** A source whose places in the log are marked when they are noted: see `notedWalEnd`. */
  readonly marks?: boolean;
};

/**
 * Settings of every session of ours: text forms that both servers agree on, and a server that ends
 * a session which froze with locks held.
 */
const SESSION = [
  '-c datestyle=ISO,YMD',
  '-c intervalstyle=postgres',
  '-c timezone=UTC',
  '-c extra_float_digits=3',
  '-c bytea_output=hex',
  '-c standard_conforming_strings=on',
  '-c lock_timeout=0',
  '-c statement_timeout=0',
  '-c idle_in_transaction_session_timeout=300000',
  '-c row_security=off',
  // Statements that read by key: compiling them costs more than it saves.
  '-c jit=off',
  '-c search_path=pg_catalog',
].join(' ');

/**
 * Limits that a role or a database may bring along, and that not every server knows: a batch may
 * take longer, and a session of ours may have nothing to do for longer.
 */
const NO_TIMEOUTS = `select set_config(name, '0', false) from pg_settings
  where name in ('transaction_timeout', 'idle_session_timeout') and setting <> '0'`;

/** Values stay PostgreSQL's text; the caller knows the types. */
export const TEXT_TYPES: pg.CustomTypesConfig = { getTypeParser: () => (value: unknown) => value };

export type SqlValue = string | number | bigint | boolean | null | readonly string[];
export type TextRow = readonly (string | null)[];

/** What every connection of ours is opened with, that of the replication stream too. */
export function sessionConfig(database: Database, purpose: string): pg.ClientConfig {
  return {
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    ...database.client,
    application_name: `tandem ${purpose}`,
    options: [database.client.options, SESSION].filter(Boolean).join(' '),
    types: TEXT_TYPES,
  };
}

type SessionOptions = {
  /**
   * Statements are sent at once, one behind the other, before the answers of the earlier ones are
   * there: the server goes on while this process is busy. Without it each waits for its turn here.
   */
  readonly pipeline?: boolean;
};

/** Opens a session. Throws a `TandemError` that names the side, never the password. */
export async function openClient(
  database: Database,
  purpose: string,
  { pipeline = false }: SessionOptions = {},
): Promise<pg.Client> {
  const client = new pg.Client({ ...sessionConfig(database, purpose), pipeline });
  databases.set(client, database);
  // A lost connection is reported by the query in hand; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw connectionError(database, error);
  }
  try {
    await client.query(NO_TIMEOUTS);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw statementError(database.side, error, 'connect');
  }
  return client;
}

/**
 * A session for as long as `work` takes. What goes wrong there is named by its side, so that the
 * caller knows whether it may pass.
 */
export async function withClient<T>(
  database: Database,
  purpose: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(database, purpose);
  try {
    return await work(client);
  } catch (error) {
    throw statementError(database.side, error, purpose);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const databases = new WeakMap<pg.ClientBase, Database>();
const turns = new WeakMap<pg.ClientBase, Promise<unknown>>();

/** Statements of one session go one after the other, whoever asks; the driver wants it so. */
async function inTurn<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  try {
    if ('pipeline' in client && client.pipeline === true) return await work();
    const before = turns.get(client);
    const turn = before === undefined ? work() : before.then(work, work);
    turns.set(client, turn);
    return await turn;
  } catch (error) {
    throw lostConnection(client, error) ?? error;
  }
}

/** Whether the session's database wants the places that are noted to be marked. */
export function hasMarks(client: pg.ClientBase): boolean {
  return databases.get(client)?.marks === true;
}

/** Whoever asked: that the server is gone has a name, so that it is waited for. */
function lostConnection(client: pg.ClientBase, error: unknown): TandemError | null {
  const side = databases.get(client)?.side;
  if (side === undefined || error instanceof TandemError) return null;
  const named = statementError(side, error, 'statement');
  const isLost = named.code === 'SOURCE_UNREACHABLE' || named.code === 'TARGET_UNREACHABLE';
  return isLost || SESSION_ENDED.test(codeOf(error)) ? named : null;
}

/** Runs a statement whose rows do not matter; returns how many it touched. */
export async function execute(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[] = [],
): Promise<number> {
  const result = await inTurn(client, () => client.query(text, [...values]));
  return result.rowCount ?? 0;
}

/** Rows as arrays of text, in the order of the select list. */
export async function textRows(
  client: pg.ClientBase,
  text: string,
  values: readonly SqlValue[] = [],
): Promise<TextRow[]> {
  return rowsOf(client, { text, values });
}

const statementNames = new Map<string, string>();

/**
 * As `textRows`, with the statement parsed and planned once a session: measured at 200 changes a
 * second, half the latency. Only for texts that are few, without values in them.
 */
export async function preparedRows(
  client: pg.ClientBase,
  text: string,
  values: readonly SqlValue[] = [],
): Promise<TextRow[]> {
  let name = statementNames.get(text);
  if (name === undefined) {
    name = `tandem_${statementNames.size}`;
    statementNames.set(text, name);
  }
  return rowsOf(client, { name, text, values });
}

async function rowsOf(
  client: pg.ClientBase,
  query: { readonly name?: string; readonly text: string; readonly values: readonly SqlValue[] },
): Promise<TextRow[]> {
  const { values, ...rest } = query;
  const result = await inTurn(client, () =>
    client.query<(string | null)[]>({
      ...rest,
      values: values as unknown[],
      rowMode: 'array',
      types: TEXT_TYPES,
    }),
  );
  return result.rows;
}

/** `host:port/database`, for messages. */
export function placeOf(database: Database): string {
  const { host = 'localhost', port = 5432, database: name = '' } = database.client;
  return `${host}:${port}/${name}`;
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

/** Names a failure to connect. */
export function connectionError(database: Database, error: unknown): TandemError {
  const { side } = database;
  const code = codeOf(error);
  const reason = error instanceof Error ? error.message : String(error);
  const details = { side, place: placeOf(database), reason: withoutValues(reason) };
  const refused = side === 'source' ? 'SOURCE_LOGIN_REFUSED' : 'TARGET_LOGIN_REFUSED';
  const unreachable = side === 'source' ? 'SOURCE_UNREACHABLE' : 'TARGET_UNREACHABLE';
  if (/unsupported startup parameter/i.test(reason)) {
    return new TandemError('POOLED_CONNECTION', details, error);
  }
  if (/^(28|3D)/.test(code) || /SASL|password/.test(reason)) {
    return new TandemError(refused, details, error);
  }
  // "must be superuser or replication role to start walsender", or no CONNECT on the database.
  if (code === '42501') return new TandemError('PRIVILEGE_MISSING', details, error);
  if (/SSL|TLS|certificate|self.signed/i.test(reason) || /CERT|TLS/.test(code)) {
    return new TandemError('TLS_REFUSED', details, error);
  }
  return new TandemError(unreachable, details, error);
}

/** Bytes that are not text in the encoding of their database, or that UTF-8 has no character for. */
const UNREADABLE = /^(22021|22P05)$/;
/** SQLSTATE classes and codes after which the same statement may well succeed. */
const PASSING = /^(08|57P0|40001|40P01|55P03|57014|53300|25P03|25P04)/;
/** The server has ended the session, or is about to end itself. */
const SESSION_ENDED = /^(08|57P0)/;
const CONNECTION_LOST =
  /Connection terminated|ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|EHOSTUNREACH|not queryable|Client was closed/i;

/**
 * Names a failure of a statement. The driver's message may quote values of the row, so only
 * SQLSTATE, table, column and constraint are kept; the original is the cause, never printed.
 */
export function statementError(side: Side, error: unknown, step: string): TandemError {
  if (error instanceof TandemError) return error;
  const sqlstate = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const details: Record<string, string> = { side, step };
  if (/^[0-9A-Z]{5}$/.test(sqlstate)) details['sqlstate'] = sqlstate;
  for (const field of ['schema', 'table', 'column', 'constraint'] as const) {
    const value = (error as Record<string, unknown>)[field];
    if (typeof value === 'string') details[field] = value;
  }
  // An unknown column has no field: its name is what the message quotes, in every language.
  const [, unknown] = (sqlstate === '42703' && /["«„]([^"»“]+)["»“]/.exec(message)) || [];
  if (unknown !== undefined) details['column'] ??= unknown;
  return new TandemError(codeFor(side, sqlstate, message), details, error);
}

function codeFor(side: Side, sqlstate: string, message: string): ErrorCode {
  const target = side === 'target';
  if (sqlstate === '53100') return target ? 'TARGET_FULL' : 'SOURCE_FAILED';
  if (sqlstate === '42501') return 'PRIVILEGE_MISSING';
  if (UNREADABLE.test(sqlstate) && !target) return 'SOURCE_TEXT_INVALID';
  if (PASSING.test(sqlstate)) return target ? 'TARGET_BUSY' : 'SOURCE_UNREACHABLE';
  if (CONNECTION_LOST.test(message) || CONNECTION_LOST.test(sqlstate)) {
    return target ? 'TARGET_UNREACHABLE' : 'SOURCE_UNREACHABLE';
  }
  return target ? 'TARGET_FAILED' : 'SOURCE_FAILED';
}

/** Connection messages name roles, hosts and databases, which may stay; quoted secrets do not occur. */
function withoutValues(message: string): string {
  return message.replace(/\s+/g, ' ').slice(0, 200);
}
