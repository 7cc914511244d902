/** What becomes of a mapped table that the source truncates. */
export const TRUNCATE_ACTIONS = ['stop', 'apply', 'ignore'] as const;
export type TruncateAction = (typeof TRUNCATE_ACTIONS)[number];

/** One action for all tables, and others for some, by the name that the mapping gives them. */
export type TruncatePolicy = {
  readonly otherwise: TruncateAction;
  readonly tables: ReadonlyMap<string, TruncateAction>;
};

export function truncateAction({ otherwise, tables }: TruncatePolicy, table: string) {
  return tables.get(table) ?? otherwise;
}

const actionOf = (text: string): TruncateAction | null =>
  TRUNCATE_ACTIONS.find((action) => action === text.trim().toLowerCase()) ?? null;

/** Reads `stop`, or `stop,audit_log=ignore,stock=apply`; null where it is neither. */
export function parseTruncatePolicy(text: string): TruncatePolicy | null {
  const [first = '', ...exceptions] = text.split(',');
  const otherwise = actionOf(first);
  const tables = new Map<string, TruncateAction>();
  for (const exception of exceptions) {
    const [table = '', action = '', ...rest] = exception.split('=').map((part) => part.trim());
    const found = actionOf(action);
    if (table === '' || found === null || rest.length > 0 || tables.has(table)) return null;
    tables.set(table, found);
  }
  return otherwise === null ? null : { otherwise, tables };
}
