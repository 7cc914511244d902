import type pg from 'pg';
import { execute, preparedRows, statementError } from '../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import type { DerivedEntity } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import { keyParts, keyText, type MirrorTable } from '../core/mirror-table.ts';
import { formatLsn, type Lsn } from '../core/version.ts';
import { Affected, rootTable } from './affected.ts';
import { mirrorName } from './mirror-schema.ts';
import type { Model } from './model.ts';

/** Which roots of an entity are meant. */
export type Selection =
  | { readonly kind: 'all' }
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
  /** SQL on the columns of the root's mirror table. */
  | { readonly kind: 'where'; readonly condition: string }
  /** Whose row, or a row that they read, was changed by a commit from there on. */
  | { readonly kind: 'since'; readonly lsn: Lsn };

/**
 * The keys of the roots that are meant; null: all of them.
 *
 * @throws TandemError `CONDITION_INVALID` naming what PostgreSQL says of the condition;
 *   `KEY_MALFORMED`
 */
export async function selectRoots(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  selection: Selection,
): Promise<readonly string[] | null> {
  const root = rootTable(model, entity.name);
  switch (selection.kind) {
    case 'all':
      return null;
    case 'keys':
      return await presentKeys(client, root, selection.keys);
    case 'where':
      return await keysWhere(client, root, selection.condition);
    case 'since':
      return await keysSince(client, model, entity, selection.lsn);
  }
}

const keyList = (table: MirrorTable, of = '') =>
  keyOf(table)
    .map(({ name }) => `${of}${ident(name)}`)
    .join(', ');
const keyOf = (table: MirrorTable) => table.columns.slice(0, table.keyLength);

/** Those of the keys that the mirror knows, deleted ones included. */
async function presentKeys(
  client: pg.ClientBase,
  table: MirrorTable,
  keys: readonly string[],
): Promise<string[]> {
  const parts = keys.map((key) => partsOf(table, key));
  const arrays = keyOf(table).map(({ type }, i) => `$${i + 1}::text[]::${type}[]`);
  try {
    const rows = await preparedRows(
      client,
      `select ${keyList(table)} from ${mirrorName(table)}
       where (${keyList(table)}) in (select * from unnest(${arrays.join(', ')})) order by ${keyList(table)}`,
      arrays.map((_, i) => arrayLiteral(parts.map((part) => part[i] ?? null))),
    );
    return rows.map((row) => keyText(table, row));
  } catch (error) {
    const named = statementError('target', error, 'select roots');
    if (!String(named.details['sqlstate']).startsWith('22')) throw named;
    throw new TandemError('KEY_MALFORMED', { table: table.name }, error);
  }
}

function partsOf(table: MirrorTable, key: string): readonly string[] {
  try {
    const parts: unknown = keyParts(table, key);
    if (Array.isArray(parts) && parts.length === table.keyLength) return parts.map(String);
  } catch {
    // Not JSON.
  }
  throw new TandemError('KEY_MALFORMED', { table: table.name });
}

/** In a transaction that cannot write: a condition may call functions. */
async function keysWhere(
  client: pg.ClientBase,
  table: MirrorTable,
  condition: string,
): Promise<string[]> {
  await execute(client, 'begin transaction read only');
  try {
    const rows = await preparedRows(
      client,
      `select ${keyList(table, 'root.')} from ${mirrorName(table)} as root
       where not root._deleted and (${condition}\n) order by ${keyList(table, 'root.')}`,
      [],
    );
    return rows.map((row) => keyText(table, row));
  } catch (error) {
    throw conditionError(error);
  } finally {
    await execute(client, 'rollback').catch(() => undefined);
  }
}

/** What is wrong with the text itself may be quoted: it was typed by who reads the message. */
function conditionError(error: unknown): TandemError {
  const named = statementError('target', error, 'condition');
  const sqlstate = String(named.details['sqlstate'] ?? '');
  if (!/^(42|22|25006|21)/.test(sqlstate)) return named;
  const details: Record<string, string> = { sqlstate };
  if (sqlstate.startsWith('42') && error instanceof Error) details['problem'] = error.message;
  if (sqlstate === '25006') details['problem'] = 'it would write';
  return new TandemError('CONDITION_INVALID', details, error);
}

/** Found from the rows as they are now: a root that lost a row it had is not among them. */
async function keysSince(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  lsn: Lsn,
): Promise<string[]> {
  const affected = new Affected(model, Infinity);
  const found = new Set<string>();
  const root = rootTable(model, entity.name);
  for (const row of await preparedRows(
    client,
    `select ${keyList(root)} from ${mirrorName(root)} where _commit_lsn >= $1`,
    [formatLsn(lsn)],
  )) {
    found.add(keyText(root, row));
  }
  for (const usage of model.usages) {
    const table = model.mirror.get(usage.table);
    const { via } = usage;
    if (usage.entity !== entity.name || usage.climb.length === 0) continue;
    if (table === undefined || via == null) continue;
    const values = await preparedRows(
      client,
      `select distinct ${ident(via)} from ${mirrorName(table)}
       where _commit_lsn >= $1 and ${ident(via)} is not null`,
      [formatLsn(lsn)],
    );
    const list = values.map((row) => row[0] ?? '');
    if (list.length === 0) continue;
    for (const key of await affected.climb(client, usage, list, null, 2 ** 31 - 1)) found.add(key);
  }
  return [...found];
}
