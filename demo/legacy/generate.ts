import type pg from 'pg';
import { advanceSequence, copyIn } from './load/copy-in.ts';
import type { RowSource } from './load/row.ts';
import { countsFor, type Scale } from './scale.ts';
import {
  addConstraints,
  createTables,
  dropConstraints,
  withClient,
  type LegacyVariant,
} from './schema.ts';
import { accessTables } from './tables/access.ts';
import { catalogueTables } from './tables/catalogue.ts';
import { commentTables } from './tables/comments.ts';
import { fileTables } from './tables/files.ts';
import { instructionTables } from './tables/instructions.ts';
import { membershipTables } from './tables/memberships.ts';
import { moneyTables } from './tables/money.ts';
import { offerTables } from './tables/offers.ts';
import { officeTables } from './tables/offices.ts';
import { patientTables } from './tables/patients.ts';
import { projectTables } from './tables/projects.ts';
import { recordTables } from './tables/records.ts';
import { settingTables } from './tables/settings.ts';
import { stateTables } from './tables/states.ts';
import { shopOrderTables, taskTables } from './tables/tasks.ts';
import { templateTables } from './tables/templates.ts';
import { userTables } from './tables/users.ts';
import { findTraps } from './traps/find.ts';
import type { PlantedTraps } from './traps/trap.ts';
import { buildWorld, type World } from './world/world.ts';

export type { Scale } from './scale.ts';
export type { PlantedTraps, TrapRows } from './traps/trap.ts';

export type GenerateOptions = {
  readonly connectionString: string;
  readonly seed: number;
  readonly scale: Scale;
  readonly variant?: LegacyVariant;
  /** Called after some thousand rows and at the end of a table. */
  readonly onProgress?: (table: string, rows: number, total: number) => void;
};

function sources(world: World): RowSource[] {
  return [
    ...accessTables(world),
    ...userTables(world),
    ...membershipTables(world),
    ...settingTables(world),
    ...officeTables(world),
    ...catalogueTables(),
    ...offerTables(world),
    ...templateTables(),
    ...patientTables(world),
    ...instructionTables(world),
    ...stateTables(world),
    ...projectTables(world),
    ...recordTables(world),
    ...fileTables(world),
    ...commentTables(world),
    ...shopOrderTables(world),
    ...taskTables(world),
    ...moneyTables(world),
  ];
}

async function isEmpty(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(`select to_regclass('public.auth_user') is null as empty`);
  const [row] = rows as readonly { empty: boolean }[];
  return row?.empty ?? true;
}

/**
 * Fills an empty database, or one with the empty legacy schema, with a synthetic legacy system.
 *
 * The same seed, scale and variant give the same rows. Foreign keys are added after the rows, so
 * a row that points nowhere fails the load.
 *
 * @returns for each trap of section 21 the rows that carry it, as found in the database afterwards
 */
export async function generateLegacy(options: GenerateOptions): Promise<PlantedTraps> {
  const { seed, scale, variant = {}, onProgress } = options;
  return withClient(options.connectionString, async (client) => {
    if (await isEmpty(client)) await createTables(client, variant);
    else await dropConstraints(client);
    const world = buildWorld(seed, countsFor(scale), variant);
    for (const source of sources(world)) {
      const report = (rows: number) => onProgress?.(source.table, rows, source.total);
      await copyIn(client, source, report);
      await advanceSequence(client, source.table);
    }
    await addConstraints(client, variant);
    await client.query('analyze');
    return findTraps(client);
  });
}
