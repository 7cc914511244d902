import type pg from 'pg';
import { IdPool } from './pool.ts';

/** Which part of the changing rows belongs to this connection: those with `id % of = index`. */
type Share = { readonly index: number; readonly of: number };

/**
 * The rows one connection works on. Two connections never change or delete the same row, so that
 * neither waits for the other and each follows its own sequence of choices.
 */
export type LivingRows = {
  readonly doctors: IdPool;
  readonly staff: IdPool;
  readonly offices: IdPool;
  readonly courses: IdPool;
  readonly templates: IdPool;
  readonly products: IdPool;
  readonly groups: IdPool;
  readonly users: IdPool;
  readonly patients: IdPool;
  /** Patients made by this connection, which it may delete again. */
  readonly freshPatients: IdPool;
  readonly instructions: IdPool;
  readonly deletedInstructions: IdPool;
  readonly largeInstructions: IdPool;
  readonly statusOf: Map<number, number>;
  readonly plans: IdPool;
  readonly openTasks: IdPool;
  readonly doneTasks: IdPool;
  /** Projects that only plans of this share lead to. */
  readonly projects: IdPool;
  readonly payments: IdPool;
  readonly records: IdPool;
  readonly largeRecords: IdPool;
  readonly files: IdPool;
  readonly discounts: IdPool;
  readonly offers: IdPool;
};

/** Enough to choose from, also in a full database. */
const MANY = 20_000;

const WHERE_MINE = (key: string, condition = 'true') =>
  `where (${condition}) and ${key} % $2 = $1 order by id desc limit ${MANY}`;

export async function readLivingRows(client: pg.Client, share: Share): Promise<LivingRows> {
  const list = async (sql: string) => {
    const values = sql.includes('$1') ? [share.index, share.of] : [];
    const { rows } = await client.query(sql, values);
    return rows as readonly { id: number; status: number }[];
  };
  const pool = async (sql: string) => new IdPool((await list(sql)).map((row) => row.id));
  const mine = (table: string, key = 'id', condition = 'true') =>
    pool(`select id from ${table} ${WHERE_MINE(key, condition)}`);
  const all = (table: string) => pool(`select id from ${table} order by id`);
  const instructions = await list(
    `select id, status from dispatch_instruction ${WHERE_MINE('id', 'not deleted')}`,
  );
  const member = (group: string) =>
    pool(`select distinct m.user_id as id from auth_user_groups m
      join auth_group g on g.id = m.group_id where g.name = '${group}' order by 1`);
  return {
    doctors: await member('Doctor'),
    staff: await member('Technician'),
    offices: await all('dispatch_office'),
    courses: await all('dispatch_course'),
    templates: await all('dispatch_template'),
    products: await all('dispatch_product'),
    groups: await all('auth_group'),
    users: await mine('auth_user'),
    patients: await mine('dispatch_patient'),
    freshPatients: new IdPool(),
    instructions: new IdPool(instructions.map((row) => row.id)),
    deletedInstructions: await mine('dispatch_instruction', 'id', 'deleted'),
    largeInstructions: await mine('dispatch_instruction', 'id', 'length(notes) > 8000'),
    statusOf: new Map(instructions.map((row) => [row.id, row.status])),
    plans: await mine('dispatch_plan', 'instruction_id'),
    openTasks: await mine('dispatch_task', 'instruction_id', 'not checked'),
    doneTasks: await mine('dispatch_task', 'instruction_id', 'checked'),
    projects: await pool(
      `select project_id as id from dispatch_plan group by 1
       having count(*) = 1 and min(instruction_id) % $2 = $1 order by 1 desc limit ${MANY}`,
    ),
    payments: await mine('dispatch_payment', 'instruction_id'),
    records: await mine('dispatch_record'),
    largeRecords: await mine('dispatch_record', 'id', 'length(text) > 8000'),
    files: await mine('dispatch_file', 'id', 'instruction_id is null'),
    discounts: await mine('dispatch_discount'),
    offers: await mine('dispatch_offer'),
  };
}
