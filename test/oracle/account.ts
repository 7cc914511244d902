import { ident, Session, type TextRow } from './session.ts';

/** Where the rows of an entity come from and go to. */
type Entity = {
  readonly entity: string;
  readonly source: string;
  readonly target: string;
  /** The column of the target that holds the legacy id; null in rows of another origin. */
  readonly legacyId: string;
};

const ENTITIES: readonly Entity[] = [
  entity('content_type', 'django_content_type', 'content_type_map', 'legacy_content_type_id'),
  entity('office', 'dispatch_office', 'offices', 'legacy_office_id'),
  entity('order_type', 'dispatch_course', 'order_types', 'legacy_course_id'),
  entity('profile', 'auth_user', 'profiles', 'legacy_user_id'),
  entity('doctor', 'auth_user', 'doctors', 'legacy_user_id'),
  entity('patient', 'dispatch_patient', 'patients', 'legacy_patient_id'),
  entity('workflow_template', 'dispatch_template', 'workflow_templates', 'legacy_template_id'),
  entity('instruction_state', 'dispatch_state', 'instruction_states', 'legacy_state_id'),
  entity('jaw', 'dispatch_jaw', 'jaws', 'legacy_jaw_id'),
  entity('patient_case', 'dispatch_patient', 'cases', 'legacy_patient_id'),
  entity('project_case', 'dispatch_project', 'cases', 'legacy_project_id'),
  entity('order', 'dispatch_instruction', 'orders', 'legacy_instruction_id'),
  entity('order_state_entry', 'dispatch_state', 'order_state_history', 'legacy_state_id'),
  entity('payment', 'dispatch_payment', 'payments', 'legacy_payment_id'),
  entity('project', 'dispatch_project', 'projects', 'legacy_project_id'),
  entity('treatment_plan', 'dispatch_plan', 'treatment_plans', 'legacy_plan_id'),
  entity('task', 'dispatch_task', 'tasks', 'legacy_task_id'),
  entity('message', 'dispatch_record', 'messages', 'legacy_record_id'),
];

function entity(name: string, source: string, target: string, legacyId: string): Entity {
  return { entity: name, source, target, legacyId };
}

type EntityAccount = {
  readonly entity: string;
  readonly sourceRows: number;
  readonly applied: number;
  readonly held: number;
  readonly quarantined: number;
  readonly excluded: number;
  /** Legacy ids that are in none of the four, or in several, or there without a source row. */
  readonly unaccounted: readonly string[];
};

type Account = {
  readonly entities: readonly EntityAccount[];
  /** Entities of the engine that this check does not know. */
  readonly unknown: readonly string[];
};

/**
 * Checks that every live source row ended as exactly one of applied, held, quarantined or excluded,
 * by the target alone: its mirror, its tables and the engine's books.
 */
export async function checkAccount(targetUrl: string, maxExamples = 5): Promise<Account> {
  await using target = await Session.open(targetUrl);
  await target.freeze();
  const known = new Set(ENTITIES.map((it) => it.entity));
  const names = await target.arrays('select name from tandem.entity order by name');
  const existing = new Set(names.map(([name]) => name ?? ''));
  const entities: EntityAccount[] = [];
  for (const each of ENTITIES.filter((it) => existing.has(it.entity))) {
    const [row = {}] = await target.rows(accountSql(each), [maxExamples]);
    entities.push(readAccount(each.entity, row));
  }
  return { entities, unknown: [...existing].filter((name) => !known.has(name)) };
}

/** Throws an error that names each entity whose account does not add up. */
export async function assertAccounted(targetUrl: string): Promise<void> {
  const { entities } = await checkAccount(targetUrl);
  const wrong = entities.filter((it) => !isAccounted(it)).map(accountLine);
  if (wrong.length > 0) throw new Error(`rows are not accounted for\n${wrong.join('\n')}`);
}

export function isAccounted(it: EntityAccount): boolean {
  const ended = it.applied + it.held + it.quarantined + it.excluded;
  return it.sourceRows === ended && it.unaccounted.length === 0;
}

export function accountLine(it: EntityAccount): string {
  const wrong = it.unaccounted.length > 0 ? `  wrong: ${it.unaccounted.join(', ')}` : '';
  return (
    `${it.entity}: ${it.sourceRows} = ${it.applied} applied + ${it.held} held` +
    ` + ${it.quarantined} quarantined + ${it.excluded} excluded${wrong}`
  );
}

function accountSql({ entity: name, source, target, legacyId }: Entity): string {
  const book = (table: string) =>
    `select distinct root_key, '${table}' from tandem.${table} where entity = '${name}'`;
  return `
    with root (key) as (select id::text from legacy.${ident(source)} where not _deleted),
    ending (key, how) as (
      select ${ident(legacyId)}::text, 'applied' from public.${ident(target)}
        where ${ident(legacyId)} is not null and deleted_at is null
      union all ${book('held')} union all ${book('quarantine')} union all ${book('excluded')}
    ),
    unaccounted as (
      select coalesce(root.key, ending.key) as key from root
      full join ending on ending.key = root.key
      group by coalesce(root.key, ending.key)
      having count(root.key) <> 1 or count(ending.key) <> 1
    )
    select (select count(*) from root) as source_rows,
      count(*) filter (where how = 'applied') as applied,
      count(*) filter (where how = 'held') as held,
      count(*) filter (where how = 'quarantine') as quarantined,
      count(*) filter (where how = 'excluded') as excluded,
      (select jsonb_agg(key) from (select key from unaccounted order by key limit $1) as first)
        as unaccounted
    from ending`;
}

function readAccount(name: string, row: TextRow): EntityAccount {
  return {
    entity: name,
    sourceRows: Number(row['source_rows']),
    applied: Number(row['applied']),
    held: Number(row['held']),
    quarantined: Number(row['quarantined']),
    excluded: Number(row['excluded']),
    unaccounted: JSON.parse(row['unaccounted'] ?? '[]') as string[],
  };
}
