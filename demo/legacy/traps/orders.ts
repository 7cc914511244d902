import { rowsWhere, type Trap } from './trap.ts';

const NAMING_JAW = `select i.id as instruction_id, i.upper_jaw_id as jaw_id from dispatch_instruction i
  union all select i.id, i.lower_jaw_id from dispatch_instruction i`;

const STATE_BEFORE = `select id, "on", status, changed_at,
  lag("on") over w as before, lag(id) over w as id_before
  from dispatch_state window w as (partition by instruction_id, status order by changed_at, id)`;

export const ORDER_TRAPS: readonly Trap[] = [
  rowsWhere('T33', 'dispatch_instruction', 't.deleted'),
  rowsWhere('T34', 'dispatch_instruction', 't.submitted_at is null or t.updated_at is null'),
  rowsWhere('T35', 'dispatch_instruction', 't.status not in (0, 1, 2, 3, 4, 5)'),
  rowsWhere('T36', 'dispatch_instruction', 't.price is null'),
  rowsWhere(
    'T37',
    'dispatch_instruction',
    `t.exports is null or btrim(t.exports, E' \\t\\r\\n') = '' or t.exports !~ '^\\{.*\\}$' or t.exports ~ '''|\\\\'`,
  ),
  rowsWhere(
    'T38',
    'dispatch_instruction',
    't.upper_jaw_id is null or t.lower_jaw_id is null or t.upper_jaw_id = t.lower_jaw_id',
  ),
  {
    number: 'T39',
    table: 'dispatch_jaw',
    sql: `select j.id from dispatch_jaw j left join (${NAMING_JAW}) n on n.jaw_id = j.id
          group by j.id having count(distinct n.instruction_id) <> 1`,
  },
  rowsWhere(
    'T40',
    'dispatch_jaw',
    `t.bond_teeth like '0%' or length(t.bond_teeth) <> 16 or t.extract_teeth like '%1%'`,
  ),
  rowsWhere('T41', 'dispatch_state', 't.actor_id is null'),
  {
    number: 'T41',
    table: 'dispatch_state',
    sql: `select id from (select id, max(changed_at) over (order by id rows between unbounded preceding
          and 1 preceding) as latest, changed_at from dispatch_state) e where latest > changed_at`,
  },
  {
    number: 'T41',
    table: 'dispatch_state',
    sql: `select id from (select id, count(*) over (partition by instruction_id, changed_at) as n
          from dispatch_state) e where n > 1`,
  },
  {
    number: 'T42',
    table: 'dispatch_state',
    sql: `select id from (${STATE_BEFORE}) e where ("on" and before) or (not "on" and before is not true)`,
  },
  {
    number: 'T43',
    table: 'dispatch_state',
    sql: `select s.id from dispatch_state s
          where exists (select 1 from dispatch_state a where a.instruction_id = s.instruction_id
            and a.id < s.id and a.changed_at < s.changed_at)
          and exists (select 1 from dispatch_state b where b.instruction_id = s.instruction_id
            and b.id < s.id and b.changed_at > s.changed_at)`,
  },
  rowsWhere(
    'T44',
    'dispatch_project',
    `t.creator_id is null or not exists (select 1 from dispatch_plan p where p.project_id = t.id)`,
  ),
  {
    number: 'T44',
    table: 'dispatch_project',
    sql: `select p.project_id as id from dispatch_plan p
          join dispatch_instruction i on i.id = p.instruction_id
          group by p.project_id having count(distinct i.patient_id) > 1`,
  },
  rowsWhere(
    'T45',
    'dispatch_project',
    `t.name = '' or t.name ~ '^[0-9]+$' or length(t.name) > 250 or t.size >= 2147483648 or t.size = 0`,
  ),
  rowsWhere('T46', 'dispatch_plan', 't.number is null'),
  {
    number: 'T46',
    table: 'dispatch_plan',
    sql: `select id from (select id, number, count(*) over (partition by instruction_id, number) as n,
            count(*) filter (where original) over (partition by instruction_id) as originals
          from dispatch_plan) e where (number is not null and n > 1) or originals <> 1`,
  },
  ...['dispatch_instruction', 'dispatch_project'].map((table) => ({
    number: 'T47',
    table,
    sql: `select max(id) as id from ${table} having max(id) - min(id) >= count(*)`,
  })),
];
