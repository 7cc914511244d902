import { CATALOGUE } from './catalogue.ts';
import type { LegacyTable } from './definition.ts';
import { MONEY } from './money.ts';
import { ORDERS } from './orders.ts';
import { PEOPLE } from './people.ts';
import { SYSTEM } from './system.ts';
import { WORKFLOW } from './workflow.ts';

/** All 66 tables of the legacy database, in no particular order. */
export const LEGACY_TABLES: readonly LegacyTable[] = [
  ...PEOPLE,
  ...CATALOGUE,
  ...ORDERS,
  ...WORKFLOW,
  ...MONEY,
  ...SYSTEM,
];

const BY_NAME: ReadonlyMap<string, LegacyTable> = new Map(
  LEGACY_TABLES.map((table) => [table.name, table]),
);

export function legacyTable(name: string): LegacyTable {
  const found = BY_NAME.get(name);
  if (found === undefined) throw new Error(`the legacy schema has no table ${name}`);
  return found;
}

/** Columns that must never leave the source (T92), as `table.column`. */
export const SECRET_COLUMNS: ReadonlySet<string> = new Set([
  'auth_user.password',
  'dispatch_globalsetting.sandbox',
  'dispatch_globalsetting.application_id',
  'dispatch_globalsetting.location_id',
  'dispatch_globalsetting.access_token',
  'dispatch_operation.card_bin',
  'dispatch_operation.card_last',
  'otp_email_emaildevice.key',
  'account_emailconfirmation.key',
  'django_session.session_key',
  'django_session.session_data',
]);
