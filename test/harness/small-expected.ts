import type { Model } from '../../consumers/model.ts';
import { uuidOf } from '../../core/uuid.ts';
import type { LegacyRow } from './apply-bench.ts';
import type { Row } from './database.ts';
import { TARGET_TABLES, type TargetTableName } from './small-schema.ts';

export type { TargetTableName };

/** The rows of every legacy table, by the text of their key. */
export type LegacyState = Map<string, Map<string, LegacyRow>>;

type ExpectedRow = Readonly<Record<string, string | null>>;
/** What the target has to hold: live rows by table and id, and the lists beside them. */
type Expected = {
  readonly rows: ReadonlyMap<TargetTableName, ReadonlyMap<string, ExpectedRow>>;
  /** `entity root_key target_table column`, sorted, as the other lists. */
  readonly held: readonly string[];
  readonly unresolved: readonly string[];
  /** `entity root_key rule`. */
  readonly excluded: readonly string[];
  /** `entity root_key error_class`. */
  readonly quarantine: readonly string[];
};

type Reference = { readonly table: TargetTableName; readonly id: string; readonly must: boolean };
type Planned = {
  readonly entity: string;
  readonly key: string;
  readonly table: TargetTableName;
  readonly id: string;
  readonly values: Record<string, string | null>;
  readonly references: Readonly<Record<string, Reference | null>>;
};

const int = (value: unknown) => Number(value);
const textOf = (value: string | number | null | undefined) =>
  value == null ? null : String(value);

/**
 * What the small mapping's target must be, straight from the legacy rows and without the engine:
 * no code is shared with `small-mapping.ts`. Soft-deleted rows are given, because whether one is
 * left behind depends on the order of arrival; a child may point at it.
 */
export function expectedFrom(
  state: LegacyState,
  tombstones: ReadonlyMap<TargetTableName, ReadonlySet<string>>,
): Expected {
  const planned: Planned[] = [];
  const excluded: string[] = [];
  const quarantine: string[] = [];
  const all = (name: string) => [...(state.get(name)?.values() ?? [])];
  const find = (name: string, key: string | number | null | undefined) =>
    key == null ? undefined : state.get(name)?.get(String(key));
  const to = (
    table: TargetTableName,
    identity: string,
    key: unknown,
    must = false,
  ): Reference | null => (key == null ? null : { table, id: uuidOf(identity, int(key)), must });
  const plan = (row: Planned) => planned.push(row);

  for (const user of all('auth_user')) {
    const key = String(user['id']);
    const id = uuidOf('profile', int(user['id']));
    if (user['name'] === 'boom') quarantine.push(`profile ${key} MAPPING_THREW`);
    else if (user['name'] === 'rejected') quarantine.push(`profile ${key} MAPPING_REJECTED_ROW`);
    else if (['forbidden', 'hole', 'thirteen char'].includes(String(user['name'])))
      quarantine.push(`profile ${key} TARGET_REFUSED_ROW`);
    else if (user['name'] === 'robot') excluded.push(`profile ${key} robot`);
    else {
      const values = { legacy_id: key, name: textOf(user['name']), email: textOf(user['email']) };
      plan({ entity: 'profile', key, table: 'profiles', id, values, references: {} });
    }
    const count = all('patient').filter((it) => it['doctor_id'] === user['id']).length;
    if (count === 0) excluded.push(`doctor ${key} not_a_doctor`);
    else {
      plan({
        entity: 'doctor',
        key,
        table: 'doctors',
        id,
        values: { last_login: textOf(user['last_login']), patients: String(count) },
        references: { id: { table: 'profiles', id, must: true } },
      });
    }
  }
  for (const office of all('office')) {
    plan({
      entity: 'office',
      key: String(office['id']),
      table: 'offices',
      id: uuidOf('office', int(office['id'])),
      values: { name: textOf(office['name']) },
      references: { parent_id: to('offices', 'office', office['parent_id']) },
    });
  }
  for (const patient of all('patient')) {
    const key = String(patient['id']);
    const id = uuidOf('patient', int(patient['id']));
    const office_id = to('offices', 'office', patient['office_id']);
    plan({
      entity: 'patient',
      key,
      table: 'patients',
      id,
      values: {
        name: textOf(find('auth_user', patient['user_id'])?.['name']),
        note: textOf(patient['note']),
      },
      references: { profile_id: to('profiles', 'profile', patient['user_id'], true), office_id },
    });
    const orders = all('instruction').filter((it) => it['patient_id'] === patient['id']);
    if (orders.length === 0) {
      excluded.push(`summary ${key} no_orders`);
      continue;
    }
    const summary = uuidOf('summary', int(patient['id']));
    const references = { patient_id: { table: 'patients', id, must: true }, office_id } as const;
    plan({
      entity: 'summary',
      key,
      table: 'summaries',
      id: summary,
      values: { orders: String(orders.length) },
      references,
    });
    const lines: [string, string | null][] = orders.map((it) => [
      uuidOf('summary_line', int(it['id'])),
      textOf(it['status']),
    ]);
    for (const [line, status] of [...lines, [summary, null] as const]) {
      plan({
        entity: 'summary',
        key,
        table: 'summary_lines',
        id: line,
        values: { status },
        references,
      });
    }
  }
  for (const jaw of all('jaw')) {
    const naming = all('instruction')
      .filter((it) => it['upper_jaw_id'] === jaw['id'])
      .map((it) => int(it['id']));
    plan({
      entity: 'jaw',
      key: String(jaw['id']),
      table: 'jaws',
      id: uuidOf('jaw', int(jaw['id'])),
      values: { kind: textOf(jaw['kind']) },
      references: {
        order_id: to('orders', 'order', naming.length === 0 ? null : Math.min(...naming)),
      },
    });
  }
  for (const order of all('instruction')) {
    const patient = find('patient', order['patient_id']);
    plan({
      entity: 'order',
      key: String(order['id']),
      table: 'orders',
      id: uuidOf('order', int(order['id'])),
      values: {
        number: textOf(order['number']),
        status: textOf(order['status']),
        notes: textOf(order['notes']),
        patient_name: textOf(find('auth_user', patient?.['user_id'])?.['name']),
        has_states: all('instruction_state').some((it) => it['instruction_id'] === order['id'])
          ? 't'
          : 'f',
      },
      references: {
        patient_id: to('patients', 'patient', order['patient_id'], true),
        office_id: to('offices', 'office', patient?.['office_id']),
        upper_jaw_id: to('jaws', 'jaw', order['upper_jaw_id']),
        lower_jaw_id: to('jaws', 'jaw', order['lower_jaw_id']),
      },
    });
  }
  const place = (it: LegacyRow) => `${it['set_at']} ${String(it['id']).padStart(9, '0')}`;
  for (const one of all('instruction_state')) {
    const before = all('instruction_state')
      .filter((it) => it['instruction_id'] === one['instruction_id'] && place(it) < place(one))
      .sort((a, b) => (place(a) < place(b) ? 1 : -1))[0];
    plan({
      entity: 'order_state',
      key: String(one['id']),
      table: 'order_states',
      id: uuidOf('order_state', int(one['id'])),
      values: {
        status: textOf(one['status']),
        previous_status: textOf(before?.['status']),
        set_at: textOf(one['set_at']),
      },
      references: { order_id: to('orders', 'order', one['instruction_id'], true) },
    });
  }
  for (const link of all('office_user')) {
    plan({
      entity: 'office_profile',
      key: JSON.stringify([String(link['office_id']), String(link['user_id'])]),
      table: 'office_profiles',
      id: uuidOf('office_profile', [int(link['office_id']), int(link['user_id'])]),
      values: { label: textOf(link['label']) },
      references: {
        office_id: to('offices', 'office', link['office_id'], true),
        profile_id: to('profiles', 'profile', link['user_id'], true),
      },
    });
  }
  for (const message of all('record')) {
    const key = String(message['id']);
    const type = find('django_content_type', message['content_type_id']);
    const model = `${type?.['app_label'] ?? ''}.${type?.['model'] ?? ''}`;
    const about = message['object_id'];
    const start = {
      entity: 'message',
      key,
      table: 'messages' as const,
      id: uuidOf('message', int(message['id'])),
    };
    const body = textOf(message['body']);
    if (about != null && model === 'dispatch.instruction') {
      const order = find('instruction', about);
      plan({
        ...start,
        values: { body, about: order === undefined ? 'missing' : `status ${order['status']}` },
        references: { order_id: to('orders', 'order', about), patient_id: null },
      });
    } else if (about != null && model === 'dispatch.patient') {
      const user = find('auth_user', find('patient', about)?.['user_id']);
      plan({
        ...start,
        values: { body, about: textOf(user?.['name']) },
        references: { order_id: null, patient_id: to('patients', 'patient', about) },
      });
    } else {
      excluded.push(`message ${key} about_nothing`);
    }
  }
  return settle(planned, tombstones, { excluded, quarantine });
}

/** Takes out what lacks a parent until nothing changes; what lacks an optional one gets a null. */
function settle(
  planned: readonly Planned[],
  tombstones: ReadonlyMap<TargetTableName, ReadonlySet<string>>,
  { excluded, quarantine }: Pick<Expected, 'excluded' | 'quarantine'>,
): Expected {
  let rows = planned;
  const held = new Set<string>();
  const line = (row: Planned, column: string) => `${row.entity} ${row.key} ${row.table} ${column}`;
  for (;;) {
    const here = new Set(rows.map((row) => `${row.table} ${row.id}`));
    const isMissing = (it: Reference | null) =>
      it !== null &&
      !here.has(`${it.table} ${it.id}`) &&
      tombstones.get(it.table)?.has(it.id) !== true;
    const isHeld = (row: Planned) =>
      Object.values(row.references).some((it) => it?.must === true && isMissing(it));
    const gone = new Set(rows.filter(isHeld).map((row) => `${row.entity} ${row.key}`));
    if (gone.size > 0) {
      rows = rows.filter((row) => !gone.has(`${row.entity} ${row.key}`));
      continue;
    }
    for (const row of planned) {
      if (rows.includes(row)) continue;
      for (const [column, it] of Object.entries(row.references)) {
        if (it?.must === true && isMissing(it)) held.add(line(row, column));
      }
    }
    const unresolved = new Set<string>();
    const tables = new Map<TargetTableName, Map<string, ExpectedRow>>();
    for (const row of rows) {
      const values: Record<string, string | null> = { id: row.id, ...row.values };
      for (const [column, it] of Object.entries(row.references)) {
        if (isMissing(it)) unresolved.add(line(row, column));
        values[column] = it === null || isMissing(it) ? null : it.id;
      }
      const table = tables.get(row.table) ?? new Map<string, ExpectedRow>();
      tables.set(row.table, table.set(row.id, values));
    }
    return {
      rows: tables,
      held: [...held].sort(),
      unresolved: [...unresolved].sort(),
      excluded: [...excluded].sort(),
      quarantine: [...quarantine].sort(),
    };
  }
}

const OWN_COLUMNS = ['deleted_at', 'updated_at', 'colour'];
/** Not compared here: they have tests of their own. */
const LEFT_OUT: readonly TargetTableName[] = ['samples', 'status_changes'];

/** Where to look: the target, and which tables are there. */
type Looked = {
  readonly model: Pick<Model, 'mirror' | 'targets'>;
  query(sql: string): Promise<Row[]>;
};

/** What the target holds, in the form of `Expected`, and its soft-deleted rows. */
export async function foundIn(
  bench: Omit<Looked, 'model'> & { readonly model: Pick<Model, 'targets'> },
): Promise<Expected & { tombstones: Map<TargetTableName, Set<string>> }> {
  const lists = await Promise.all(
    [
      `select distinct entity || ' ' || root_key || ' ' || target_table || ' ' || target_column as line from tandem.held where entity <> 'status_change'`,
      `select distinct entity || ' ' || root_key || ' ' || target_table || ' ' || target_column as line from tandem.unresolved`,
      `select entity || ' ' || root_key || ' ' || rule as line from tandem.excluded where entity <> 'status_change'`,
      `select entity || ' ' || root_key || ' ' || error_class as line from tandem.quarantine`,
    ].map(async (sql) => (await bench.query(sql)).map((row) => String(row['line'])).sort()),
  );
  const rows = new Map<TargetTableName, Map<string, ExpectedRow>>();
  const tombstones = new Map<TargetTableName, Set<string>>();
  for (const table of TARGET_TABLES) {
    if (LEFT_OUT.includes(table)) continue;
    const columns = [...(bench.model.targets.get(table)?.columns.keys() ?? [])];
    const isSoft = columns.includes('deleted_at');
    const wanted = columns.filter((column) => !OWN_COLUMNS.includes(column));
    const list = wanted.map((column) => `${printed(column)} as ${column}`).join(', ');
    const found = await bench.query(
      `select ${list}, ${isSoft ? 'deleted_at is not null' : 'false'} as is_gone from ${table}`,
    );
    for (const { is_gone: isGone, ...row } of found) {
      const id = String(row['id']);
      if (isGone === true) {
        const gone = tombstones.get(table) ?? new Set<string>();
        tombstones.set(table, gone.add(id));
      } else {
        const live = rows.get(table) ?? new Map<string, ExpectedRow>();
        rows.set(table, live.set(id, row as ExpectedRow));
      }
    }
  }
  const [held = [], unresolved = [], excluded = [], quarantine = []] = lists;
  // A refused root keeps the row that it had before: not compared, but children may point at it.
  for (const line of quarantine) {
    const [entity, key] = line.split(' ');
    const id = uuidOf('profile', Number(key));
    if (entity !== 'profile' || rows.get('profiles')?.delete(id) !== true) continue;
    tombstones.set('profiles', (tombstones.get('profiles') ?? new Set()).add(id));
    if (rows.get('profiles')?.size === 0) rows.delete('profiles');
  }
  return { rows, held, unresolved, excluded, quarantine, tombstones };
}

/** Times as the tests write them, everything else as PostgreSQL's text. */
const printed = (column: string) =>
  /^(set_at|last_login)$/.test(column)
    ? `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"+00"')`
    : column === 'has_states'
      ? `case when has_states then 't' else 'f' end`
      : `${column}::text`;

/** The live rows of the mirror, and that what was deleted left nothing but its key. */
export async function mirrorOf(
  bench: Looked,
): Promise<{ state: LegacyState; tombstones: string[]; leaks: string[] }> {
  const state: LegacyState = new Map();
  const tombstones: string[] = [];
  const leaks: string[] = [];
  for (const table of bench.model.mirror.values()) {
    const list = table.columns.map(({ name }) => `${mirrorText(name)} as "${name}"`).join(', ');
    const rows = await bench.query(`select ${list}, _deleted from legacy."${table.name}"`);
    const live = new Map<string, LegacyRow>();
    for (const { _deleted: isDeleted, ...row } of rows) {
      const values = row as Record<string, string | null>;
      const key = table.columns.slice(0, table.keyLength).map(({ name }) => values[name] ?? '');
      const text = key.length === 1 ? (key[0] ?? '') : JSON.stringify(key);
      if (isDeleted === true) {
        tombstones.push(`${table.name} ${text}`);
        const rest = table.columns
          .slice(table.keyLength)
          .filter(({ name }) => values[name] != null);
        leaks.push(...rest.map(({ name }) => `${table.name} ${text} ${name}`));
      } else {
        live.set(text, values);
      }
    }
    state.set(table.name, live);
  }
  return { state, tombstones, leaks };
}

/** A state in a form that can be compared: texts, without nulls and empty tables. */
export function plainState(state: LegacyState): unknown {
  const texts = (row: LegacyRow) =>
    Object.fromEntries(
      Object.entries(row)
        .filter(([, value]) => value !== null)
        .map(([column, value]): [string, string] => [column, String(value)]),
    );
  return Object.fromEntries(
    [...state]
      .filter(([, rows]) => rows.size > 0)
      .map(([table, rows]): [string, unknown] => [
        table,
        Object.fromEntries([...rows].map(([key, row]): [string, unknown] => [key, texts(row)])),
      ]),
  );
}

const mirrorText = (column: string) =>
  /^(set_at|last_login)$/.test(column) ? printed(column) : `"${column}"::text`;
