import { withBoth } from '../connectors/postgres/pair.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { plansFor } from '../consumers/settle-mirror.ts';
import { readAnew, readTableRecords, stopTable } from '../consumers/table-state.ts';
import { TandemError } from '../core/errors.ts';
import { truncateAction } from '../core/truncate-policy.ts';
import type { EngineContext } from './engine.ts';
import { healLog } from './heal-log.ts';
import { sourceFacts, type Settled } from './settle.ts';

/**
 * Deals with a failure of the stream that is about a table and not about the rest: records what is
 * to become of the table, so that the next session goes on with the others from where this one
 * stopped. False: the failure is another one.
 */
export async function setTableAside(
  context: EngineContext,
  settled: Settled,
  error: unknown,
): Promise<boolean> {
  if (!(error instanceof TandemError)) return false;
  const table = String(error.details['table'] ?? '');
  if (error.code === 'TRUNCATE_REFUSED') {
    await stop(context, table, 'truncate', 'the source truncated it');
  } else if (error.code === 'TABLE_JOINING') {
    await withBoth(context.config, 'set aside', (_, target) =>
      inTransaction(target, () => readAnew(target, table, 'joining')),
    );
  } else if (error.code === 'RELATION_CHANGED') {
    await judgeChanged(context, table, error);
  } else if (error.code === 'TABLE_UNPUBLISHED') {
    return await isSeen(context, settled);
  } else {
    return await healLog(context, settled, error);
  }
  return true;
}

/** What an operator has to do next stands in the event. */
async function stop(
  { config, observer }: EngineContext,
  table: string,
  cause: 'truncate' | 'drift' | 'failed',
  reason: string,
): Promise<void> {
  const code = cause === 'truncate' ? 'TRUNCATE_REFUSED' : 'RELATION_CHANGED';
  await withBoth(config, 'set aside', (_, target) => stopTable(target, table, cause, reason));
  observer.event('table stopped', { table, reason, hint: new TandemError(code).hint }, 'error');
}

/** A reading beside the stream that failed, and would fail again. */
export async function stopJoin(
  context: EngineContext,
  table: string,
  error: TandemError,
): Promise<void> {
  await stop(context, table, 'failed', error.message);
}

/**
 * The stream describes a table otherwise than its session expects. Where the catalogue does too, the
 * next session finds out for itself. Where the catalogue fits, the change was undone meanwhile: what
 * the stream has of the time between cannot be read, so it is skipped, and the table read anew.
 */
async function judgeChanged(
  context: EngineContext,
  table: string,
  error: TandemError,
): Promise<void> {
  const { config, mapping } = context;
  const isUndone = await withBoth(config, 'set aside', async (source, target) => {
    const facts = await sourceFacts(source, config, mapping, false);
    const plans = await plansFor(target, facts, await readTableRecords(target));
    const plan = plans.find(({ name }) => name === table);
    return plan?.kind === 'keep' && plan.statements.length === 0;
  });
  if (!isUndone) return;
  const { column, what } = error.details;
  const reason = [column === undefined ? '' : `column ${column}: `, what].join('');
  await stop(context, table, 'drift', reason);
}

/** Tables that left the publication are found by the next session; kinds of changes that did are not. */
async function isSeen({ config, mapping }: EngineContext, { tables }: Settled): Promise<boolean> {
  return await withBoth(config, 'set aside', async (source) => {
    const { unpublished } = await sourceFacts(source, config, mapping, false);
    return tables.some(({ name }) => unpublished.has(name));
  });
}

/** Rows that a truncate took stay, where that is the setting. */
export const keepsVanished =
  ({ config }: EngineContext, wasTruncated: (table: string) => boolean) =>
  (table: string): boolean =>
    wasTruncated(table) && truncateAction(config.onTruncate, table) === 'ignore';
