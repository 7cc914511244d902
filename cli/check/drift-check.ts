import type pg from 'pg';
import { statementError, textRows, type TextRow } from '../../connectors/postgres/connection.ts';
import { failure, listed, ok, warning, type CheckResult, type Topic } from './result.ts';

export const MIRROR: Topic = {
  subject: 'target',
  name: 'mirror tables',
  why: 'The changes of a table that stopped are skipped; it is read again once it is mended.',
};

/** Tables that stopped, or that are being read beside the stream. */
export async function checkMirror(target: pg.ClientBase): Promise<CheckResult> {
  const rows = await readStates(target);
  const stopped = rows.filter(([, state]) => state === 'stopped');
  const read = rows.filter(([, state]) => state === 'waiting' || state === 'joining');
  if (stopped.length > 0) {
    const found = stopped.map(([table, , , reason]) => `${table}: ${reason}`);
    const causes = new Set(stopped.map(([, , cause]) => cause));
    return failure(MIRROR, `stopped: ${listed(found)}`, mend(causes));
  }
  if (read.length > 0) {
    const found = listed(read.map(([table]) => table ?? ''));
    const next = 'Nothing, if tandem run is up: its log says what it waits for.';
    return warning(MIRROR, `being read beside the stream: ${found}`, next);
  }
  return ok(MIRROR, 'none stopped');
}

function mend(causes: ReadonlySet<string | null | undefined>): string {
  if (causes.size === 1 && causes.has('truncate')) {
    return 'Start tandem run with ON_TRUNCATE=stop,TABLE=apply to follow, or TABLE=ignore to keep the rows.';
  }
  return 'Put back what is missing, or adapt the mapping; then start tandem run again.';
}

async function readStates(target: pg.ClientBase): Promise<readonly TextRow[]> {
  try {
    const [there] = await textRows(target, `select to_regclass('tandem.mirror') is not null`);
    if (there?.[0] !== 't') return [];
    // Through the row's JSON: the control tables of an older version lack these columns.
    return await textRows(
      target,
      `select table_name, to_jsonb(m) ->> 'state', to_jsonb(m) ->> 'cause', to_jsonb(m) ->> 'reason'
       from tandem.mirror m order by table_name`,
    );
  } catch (error) {
    throw statementError('target', error, 'read mirror tables');
  }
}
