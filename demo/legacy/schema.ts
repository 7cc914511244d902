import pg from 'pg';
import {
  constraintStatements,
  dropConstraintStatements,
  patternIndexStatements,
  tableStatements,
  type LegacyVariant,
} from './schema/ddl.ts';

export { LEGACY_TABLES, SECRET_COLUMNS, legacyTable } from './schema/tables.ts';
export type { LegacyVariant } from './schema/ddl.ts';

async function run(client: pg.Client, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
}

/** Runs `work` on a connection of its own and closes it, whatever happens. */
export async function withClient<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Creates the 66 tables with all constraints in an empty database, as Django leaves them. */
export async function createLegacySchema(
  connectionString: string,
  variant: LegacyVariant = {},
): Promise<void> {
  await withClient(connectionString, async (client) => {
    await client.query('begin');
    await createTables(client, variant);
    await addConstraints(client, variant);
    await client.query('commit');
  });
}

export async function createTables(client: pg.Client, variant: LegacyVariant): Promise<void> {
  await run(client, tableStatements(variant));
  await run(client, patternIndexStatements());
}

export async function addConstraints(client: pg.Client, variant: LegacyVariant): Promise<void> {
  await run(client, constraintStatements(variant));
}

export async function dropConstraints(client: pg.Client): Promise<void> {
  await run(client, dropConstraintStatements());
}
