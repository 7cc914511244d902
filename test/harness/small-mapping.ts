import { entity, journal, type Mapping } from '../../core/entity.ts';
import {
  bool,
  bytea,
  date,
  int4,
  int8,
  json,
  numeric,
  text,
  timestamptz,
  uuid,
} from '../../core/legacy-table.ts';
import { excluded, into, ref, rejected, row, rows, type RowInto } from '../../core/outcome.ts';
import { legacyTable } from '../../core/shape.ts';
import { formatLsn } from '../../core/version.ts';

const user = legacyTable('auth_user', 'id', {
  id: int4,
  name: text,
  email: text.orNull,
  last_login: timestamptz.orNull,
  password: text.neverRead,
});
const office = legacyTable('office', 'id', { id: int4, name: text, parent_id: int4.orNull });
const patient = legacyTable('patient', 'id', {
  id: int4,
  user_id: int4,
  office_id: int4.orNull,
  doctor_id: int4.orNull,
  note: text.orNull,
});
const jaw = legacyTable('jaw', 'id', { id: int4, kind: text });
const instruction = legacyTable('instruction', 'id', {
  id: int4,
  patient_id: int4,
  status: int4,
  number: text.orNull,
  notes: text.orNull,
  upper_jaw_id: int4.orNull,
  lower_jaw_id: int4.orNull,
});
const instructionState = legacyTable('instruction_state', 'id', {
  id: int4,
  instruction_id: int4,
  status: int4,
  set_at: timestamptz,
});
const officeUser = legacyTable('office_user', ['office_id', 'user_id'], {
  office_id: int4,
  user_id: int4,
  label: text.orNull,
});
const contentType = legacyTable('django_content_type', 'id', {
  id: int4,
  app_label: text,
  model: text,
});
const record = legacyTable('record', 'id', {
  id: int4,
  content_type_id: int4.orNull,
  object_id: int4.orNull,
  body: text.orNull,
});
const sample = legacyTable('sample', 'id', {
  id: int8,
  mood: text.orNull,
  short: text.orNull,
  ints: text.orNull,
  texts: text.orNull,
  grid: text.orNull,
  moods: text.orNull,
  blob: bytea.orNull,
  exact: numeric.orNull,
  loose: numeric.orNull,
  doc: json.orNull,
  raw: json.orNull,
  seen: timestamptz.orNull,
  day: date.orNull,
  flag: bool.orNull,
  ratio: text.orNull,
  code: uuid.orNull,
  padded: text.orNull,
  wide: text.orNull,
  big: int8.orNull,
  span: text.orNull,
});

/** What the mapping does with a user's name. */
export const SPECIAL_NAMES = {
  rejected: 'rejected',
  throws: 'boom',
  leavesOut: 'hole',
  excluded: 'robot',
  /** Breaks a check constraint of the target. */
  refused: 'forbidden',
  /** One more than the target's column takes. */
  tooLong: 'thirteen char',
} as const;

/** What the journal does with an instruction's new status. */
export const SPECIAL_STATUS = { rejected: 77, throws: 78 } as const;

const profiles = entity({
  name: 'profile',
  target: 'profiles',
  from: user.select('id', 'name', 'email'),
  map(user) {
    if (user.name === SPECIAL_NAMES.throws) throw new Error(`no such user: ${user.name}`);
    if (user.name === SPECIAL_NAMES.rejected) return rejected('name is not one');
    if (user.name === SPECIAL_NAMES.excluded) return excluded('robot');
    const id = ref('profile', user.id);
    if (user.name === SPECIAL_NAMES.leavesOut) return row({ id, legacy_id: user.id });
    return row({ id, legacy_id: user.id, name: user.name, email: user.email });
  },
});

const doctors = entity({
  name: 'doctor',
  target: 'doctors',
  identity: 'profile',
  from: user.select('id', 'last_login').with((on) => ({
    isDoctor: on.exists(patient, 'doctor_id'),
    patients: on.many(patient.select('id'), 'doctor_id'),
  })),
  map(user) {
    if (!user.isDoctor) return excluded('not_a_doctor');
    return row({
      id: ref('profile', user.id),
      last_login: user.last_login,
      patients: user.patients.length,
    });
  },
});

const offices = entity({
  name: 'office',
  target: 'offices',
  from: office.select('id', 'name', 'parent_id'),
  map: (office) =>
    row({
      id: ref('office', office.id),
      name: office.name,
      parent_id: ref('office', office.parent_id),
    }),
});

const patients = entity({
  name: 'patient',
  target: 'patients',
  from: patient
    .select('id', 'user_id', 'office_id', 'note')
    .with((on) => ({ user: on.one('user_id', user.select('id', 'name')) })),
  map: (patient) =>
    row({
      id: ref('patient', patient.id),
      profile_id: ref('profile', patient.user_id),
      office_id: ref('office', patient.office_id),
      name: patient.user?.name ?? null,
      note: patient.note,
    }),
});

const jaws = entity({
  name: 'jaw',
  target: 'jaws',
  from: jaw
    .select('id', 'kind')
    .with((on) => ({ orders: on.many(instruction.select('id'), 'upper_jaw_id') })),
  map: (jaw) =>
    row({
      id: ref('jaw', jaw.id),
      kind: jaw.kind,
      order_id: ref('order', jaw.orders[0]?.id ?? null),
    }),
});

const orders = entity({
  name: 'order',
  target: 'orders',
  from: instruction
    .select('id', 'patient_id', 'status', 'number', 'notes', 'upper_jaw_id', 'lower_jaw_id')
    .with((on) => ({
      patient: on.one(
        'patient_id',
        patient
          .select('id', 'office_id')
          .with((on) => ({ user: on.one('user_id', user.select('id', 'name')) })),
      ),
      hasStates: on.exists(instructionState, 'instruction_id'),
    })),
  map: (order) =>
    row({
      id: ref('order', order.id),
      patient_id: ref('patient', order.patient_id),
      office_id: ref('office', order.patient?.office_id ?? null),
      upper_jaw_id: ref('jaw', order.upper_jaw_id),
      lower_jaw_id: ref('jaw', order.lower_jaw_id),
      number: order.number,
      status: order.status,
      notes: order.notes,
      patient_name: order.patient?.user?.name ?? null,
      has_states: order.hasStates,
    }),
});

const orderStates = entity({
  name: 'order_state',
  target: 'order_states',
  from: instructionState.select('id', 'instruction_id', 'status', 'set_at').with((on) => ({
    before: on.previous(instructionState.select('id', 'status'), 'instruction_id', ['set_at']),
  })),
  map: (state) =>
    row({
      id: ref('order_state', state.id),
      order_id: ref('order', state.instruction_id),
      status: state.status,
      previous_status: state.before?.status ?? null,
      set_at: state.set_at,
    }),
});

const officeProfiles = entity({
  name: 'office_profile',
  target: 'office_profiles',
  from: officeUser.select('office_id', 'user_id', 'label'),
  map: (link) =>
    row({
      id: ref('office_profile', [link.office_id, link.user_id]),
      office_id: ref('office', link.office_id),
      profile_id: ref('profile', link.user_id),
      label: link.label,
    }),
});

const messages = entity({
  name: 'message',
  target: 'messages',
  from: record.select('id', 'body').with((on) => ({
    about: on.generic(
      { type: 'content_type_id', id: 'object_id', types: contentType },
      {
        'dispatch.instruction': instruction.select('id', 'status'),
        'dispatch.patient': patient
          .select('id')
          .with((on) => ({ user: on.one('user_id', user.select('id', 'name')) })),
      },
    ),
  })),
  map({ id, body, about }) {
    switch (about.model) {
      case null:
        return excluded('about_nothing');
      case 'dispatch.instruction':
        return row({
          id: ref('message', id),
          order_id: ref('order', about.id),
          patient_id: null,
          about: about.row === null ? 'missing' : `status ${about.row.status}`,
          body,
        });
      case 'dispatch.patient':
        return row({
          id: ref('message', id),
          order_id: null,
          patient_id: ref('patient', about.id),
          about: about.row?.user?.name ?? null,
          body,
        });
    }
  },
});

/** Two tables, and ids of two identities: one row a patient, one a patient's order. */
const summaries = entity({
  name: 'summary',
  target: ['summaries', 'summary_lines'],
  from: patient
    .select('id', 'office_id')
    .with((on) => ({ orders: on.many(instruction.select('id', 'status'), 'patient_id') })),
  map(patient) {
    if (patient.orders.length === 0) return excluded('no_orders');
    const parents = {
      patient_id: ref('patient', patient.id),
      office_id: ref('office', patient.office_id),
    };
    const lines: RowInto[] = patient.orders.map((order) =>
      into('summary_lines', {
        id: ref('summary_line', order.id),
        ...parents,
        status: order.status,
      }),
    );
    // A line with the id of the summary itself: one id in two tables.
    const own = ref('summary', patient.id);
    return rows([
      into('summaries', { id: own, ...parents, orders: patient.orders.length }),
      into('summary_lines', { id: own, ...parents, status: null }),
      ...lines,
    ]);
  },
});

const samples = entity({
  name: 'sample',
  target: 'samples',
  from: sample.select(
    'id',
    'mood',
    'short',
    'ints',
    'texts',
    'grid',
    'moods',
    'blob',
    'exact',
    'loose',
    'doc',
    'raw',
    'seen',
    'day',
    'flag',
    'ratio',
    'code',
    'padded',
    'wide',
    'big',
    'span',
  ),
  map: ({ id, ...values }) => row({ id: ref('sample', id), legacy_id: id, ...values }),
});

const statusChanges = journal({
  name: 'status_change',
  target: 'status_changes',
  from: instruction.select('id', 'status'),
  map({ before, after, version, at }) {
    if (before.status === after.status) return excluded('same');
    if (after.status === SPECIAL_STATUS.rejected) return rejected('status is not one');
    if (after.status === SPECIAL_STATUS.throws) throw new Error(`status ${after.status}`);
    const { commitLsn, changeLsn } = version;
    return row({
      id: ref('status_change', `${after.id} ${formatLsn(commitLsn)} ${formatLsn(changeLsn)}`),
      order_id: ref('order', after.id),
      from_status: before.status,
      to_status: after.status,
      changed_at: at,
    });
  },
});

export const SMALL_MAPPING: Mapping = {
  name: 'small',
  migrations: null,
  entities: [
    // Not in the order of their parents: the engine has to find that out.
    summaries,
    orderStates,
    messages,
    orders,
    jaws,
    patients,
    officeProfiles,
    offices,
    doctors,
    profiles,
    samples,
    statusChanges,
  ],
};
