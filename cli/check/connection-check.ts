import type pg from 'pg';
import {
  openClient,
  placeOf,
  textRows,
  type Database,
} from '../../connectors/postgres/connection.ts';
import { TandemError } from '../../core/errors.ts';
import { failure, ok, warning, type CheckResult, type Topic } from './result.ts';

type Connected = {
  readonly client: pg.Client | null;
  readonly results: readonly CheckResult[];
};

/** Connects, and says which of the many ways to fail it was. */
export async function checkConnection(database: Database): Promise<Connected> {
  const subject = database.side;
  const topic: Topic = { subject, name: 'log in', why: 'Nothing works without it.' };
  try {
    const client = await openClient(database, 'check');
    const [row] = await textRows(client, `select current_setting('server_version'), current_user`);
    const tls = isEncrypted(client) ? 'with TLS' : 'without TLS';
    const found = `PostgreSQL ${row?.[0]?.split(' ')[0]} as ${row?.[1]}, ${tls}`;
    return { client, results: [ok(topic, found), await checkPooling(database, client)] };
  } catch (error) {
    return { client: null, results: [connectionFailure(topic, database, error)] };
  }
}

function isEncrypted(client: pg.Client): boolean {
  const { connection } = client as unknown as { connection?: { stream?: { encrypted?: boolean } } };
  return connection?.stream?.encrypted === true;
}

/** A result for each kind of failure. */
function connectionFailure(topic: Topic, database: Database, error: unknown): CheckResult {
  if (!(error instanceof TandemError)) throw error;
  const reason = String(error.details['reason'] ?? error.message);
  const code = causeCode(error);
  if (error.code === 'POOLED_CONNECTION') {
    return failure({ ...topic, name: 'direct connection', why: POOLING }, reason, error.hint);
  }
  return failure(topic, reason, loginAdvice(database, error, code));
}

function loginAdvice(database: Database, error: TandemError, code: string): string {
  const { user = '', host = '', port = 5432, database: name = '' } = database.client;
  const setting = database.side === 'source' ? 'SOURCE_URL' : 'TARGET_URL';
  switch (code) {
    case '28P01':
      return `Correct the password of ${user} in ${setting}; special characters are percent-encoded there.`;
    case '28000':
      return `Let ${user} log in to ${name} from here: a line in pg_hba.conf, and alter role ${user} login;`;
    case '3D000':
      return `Correct the name of the database in ${setting}: the server at ${host}:${port} has no ${name}.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `Correct the host in ${setting}: the name ${host} is not known here.`;
    case 'ECONNREFUSED':
      return `Correct host and port in ${setting}, or start the server: nothing listens at ${placeOf(database)}.`;
    case '53300':
      return 'Free a connection on the server, or raise max_connections.';
    default:
      return tlsAdvice(database, error);
  }
}

function tlsAdvice(database: Database, error: TandemError): string {
  if (error.code !== 'TLS_REFUSED') return error.hint;
  const prefix = database.side === 'source' ? 'SOURCE' : 'TARGET';
  return `Give the authority of the server's certificate with ${prefix}_SSL_CA, or choose another ${prefix}_SSL: require encrypts without verifying, disable does neither.`;
}

function causeCode({ cause }: TandemError): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
}

const POOLING =
  'A transaction pooler hands every statement to another session: replication, session locks and settings of ours do not survive that.';

/**
 * A pooler gives its clients a cancel key of its own, so the process id in it is not that of the
 * backend; and one that was told to ignore startup options has dropped our settings.
 */
async function checkPooling(database: Database, client: pg.Client): Promise<CheckResult> {
  const topic: Topic = { subject: database.side, name: 'direct connection', why: POOLING };
  const { host = '', port = 5432 } = database.client;
  const [row] = await textRows(
    client,
    `select pg_backend_pid(), current_setting('idle_in_transaction_session_timeout')`,
  );
  const { processID } = client as unknown as { processID?: number | null };
  const hasOtherPid = typeof processID === 'number' && String(processID) !== row?.[0];
  const lostOptions = row?.[1] !== '5min';
  const setting = database.side === 'source' ? 'SOURCE_URL' : 'TARGET_URL';
  const mend = `Give ${setting} the direct connection string (Supabase: db.<project>.supabase.co, port 5432).`;
  if (port === 6543) return failure(topic, 'port 6543 is that of a transaction pooler', mend);
  if (!hasOtherPid && !lostOptions) return ok(topic, 'no pooler in between');
  const found = lostOptions
    ? 'a pooler is in between, and drops the settings of our sessions'
    : 'a pooler is in between';
  const isSessionPooler = !lostOptions && /\.pooler\.supabase\.com$/.test(host);
  if (isSessionPooler && database.side === 'target') {
    return warning(
      topic,
      'Supabase’s session pooler is in between',
      `${mend} It works, more slowly.`,
    );
  }
  return failure(topic, found, mend);
}
