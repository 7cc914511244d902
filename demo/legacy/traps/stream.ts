import { ident } from '../schema/definition.ts';
import { LEGACY_TABLES, SECRET_COLUMNS } from '../schema/tables.ts';
import { rowsWhere, type Trap } from './trap.ts';

const RESERVED = new Set(
  'order on function public read text type count start total date action primary key'.split(' '),
);

const TIMES: readonly (readonly [table: string, column: string])[] = [
  ['auth_user', 'last_login'],
  ['dispatch_patient', 'submitted_at'],
  ['dispatch_instruction', 'submitted_at'],
  ['dispatch_state', 'changed_at'],
  ['dispatch_project', 'created_at'],
  ['dispatch_record', 'created_at'],
  ['dispatch_task', 'done_at'],
  ['dispatch_payment', 'made_at'],
];

/** Texts long enough to be kept out of line, whose column an update may not repeat. */
const LARGE: readonly (readonly [table: string, column: string])[] = [
  ['dispatch_instruction', 'notes'],
  ['dispatch_instruction', 'objective'],
  ['dispatch_instruction', 'complaint'],
  ['dispatch_record', 'text'],
  ['dispatch_plan', 'notes'],
  ['dispatch_note', 'text'],
  ['dispatch_doctorsetting', 'clinical_preferences'],
];

const GAPPED = ['auth_user', 'dispatch_task', 'dispatch_record', 'dispatch_file', 'dispatch_plan'];

function reservedColumnTraps(): Trap[] {
  return LEGACY_TABLES.flatMap((table) =>
    table.columns
      .filter((column) => RESERVED.has(column.name) && table.key.name === 'id')
      .map((column) => rowsWhere('T91', table.name, `t.${ident(column.name)} is not null`)),
  );
}

function secretColumnTraps(): Trap[] {
  return [...SECRET_COLUMNS].flatMap((name) => {
    const [table = '', column = ''] = name.split('.');
    if (table === 'django_session') return []; // its key is a text
    return [rowsWhere('T92', table, `t.${ident(column)}::text <> ''`)];
  });
}

/** What matters while changes are streamed, as far as rows at rest can show it. */
export const STREAM_TRAPS: readonly Trap[] = [
  {
    number: 'T82',
    table: 'django_content_type',
    sql: `select distinct target_type_id as id from dispatch_record where target_type_id is not null`,
  },
  ...LARGE.map(([table, column]) => rowsWhere('T86', table, `length(t.${column}) > 8000`)),
  ...GAPPED.map((table) => ({
    number: 'T87',
    table,
    sql: `select id from (select id, lag(id) over (order by id) as before from ${table}) e
          where id > before + 1`,
  })),
  ...TIMES.map(([table, column]) =>
    rowsWhere(
      'T90',
      table,
      `t.${column} < '2018-01-01' or t.${column} > '2031-01-01'
       or (isfinite(t.${column}) and extract(microseconds from t.${column})::int % 1000 <> 0)`,
    ),
  ),
  ...reservedColumnTraps(),
  ...secretColumnTraps(),
];
