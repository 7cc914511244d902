import { entity, journal, type Mapping } from '../../core/entity.ts';
import { int4, text } from '../../core/legacy-table.ts';
import { ref, row } from '../../core/outcome.ts';
import { formatLsn } from '../../core/version.ts';
import { legacyTable } from '../../core/shape.ts';

/** Big enough for values to leave the row, so that updates of others do not send them. */
export const LEGACY = `
  create table office (id int primary key, name varchar(20) not null, note text, token text);
  create table patient (id int primary key, office_id int, name varchar(20), story text, height int);
  create table visit (id int primary key, patient_id int, words text);
  alter table office alter column token set storage external;
  alter table patient alter column story set storage external;
  insert into office select i, 'office ' || i, null, 'secret' from generate_series(1, 200) i;
  insert into patient select i, 1 + i % 210, 'patient ' || i, repeat('s' || i, 900), i % 7
    from generate_series(1, 2000) i;
  insert into visit select i, 1 + i % 2100, 'visit ' || i from generate_series(1, 2000) i;`;

export const TARGET = `
  create table offices (id uuid primary key, name text, note text, deleted_at timestamptz);
  create table patients (id uuid primary key, office_id uuid references offices deferrable initially deferred,
    name text, story text, height int, deleted_at timestamptz);
  create table visits (id uuid primary key, patient_id uuid references patients deferrable initially deferred,
    words text, deleted_at timestamptz);
  create table office_changes (id uuid primary key, name_before text, name_after text);`;

const office = legacyTable('office', 'id', {
  id: int4,
  name: text,
  note: text.orNull,
  token: text.neverRead,
});
const patient = legacyTable('patient', 'id', {
  id: int4,
  office_id: int4.orNull,
  name: text.orNull,
  story: text.orNull,
  height: int4.orNull,
});
const visit = legacyTable('visit', 'id', {
  id: int4,
  patient_id: int4.orNull,
  words: text.orNull,
});

const offices = entity({
  name: 'office',
  target: 'offices',
  from: office.select('id', 'name', 'note'),
  map: ({ id, name, note }) => row({ id: ref('office', id), name, note }),
});

const patients = entity({
  name: 'patient',
  target: 'patients',
  from: patient.select('id', 'office_id', 'name', 'story'),
  map: ({ id, office_id, name, story }) =>
    row({ id: ref('patient', id), office_id: ref('office', office_id), name, story }),
});

const tallPatients = entity({
  name: 'patient',
  target: 'patients',
  from: patient.select('id', 'office_id', 'name', 'story', 'height'),
  map: ({ id, office_id, name, story, height }) =>
    row({ id: ref('patient', id), office_id: ref('office', office_id), name, story, height }),
});

const namelessPatients = entity({
  name: 'patient',
  target: 'patients',
  from: patient.select('id', 'office_id', 'story'),
  map: ({ id, office_id, story }) =>
    row({ id: ref('patient', id), office_id: ref('office', office_id), name: null, story }),
});

const visits = entity({
  name: 'visit',
  target: 'visits',
  from: visit.select('id', 'patient_id', 'words'),
  map: ({ id, patient_id, words }) =>
    row({ id: ref('visit', id), patient_id: ref('patient', patient_id), words }),
});

const officeChanges = journal({
  name: 'office_change',
  target: 'office_changes',
  from: office.select('id', 'name'),
  map: ({ before, after, version: { commitLsn, changeLsn } }) =>
    row({
      id: ref('office_change', `${after.id} ${formatLsn(commitLsn)} ${formatLsn(changeLsn)}`),
      name_before: before.name,
      name_after: after.name,
    }),
});

const codedVisit = legacyTable('visit', 'code', {
  code: text,
  patient_id: int4.orNull,
  words: text.orNull,
});

const codedVisits = entity({
  name: 'visit',
  target: 'visits',
  from: codedVisit.select('code', 'patient_id', 'words'),
  map: ({ code, patient_id, words }) =>
    row({ id: ref('visit', code), patient_id: ref('patient', patient_id), words }),
});

const mapping = (...entities: Mapping['entities']): Mapping => ({
  name: 'drift',
  migrations: null,
  entities,
});

/** Offices, with a secret, and patients. */
export const PLAIN = mapping(offices, patients);
/** Reads one more column of patients. */
export const TALL = mapping(offices, tallPatients);
/** Reads one column of patients less. */
export const NAMELESS = mapping(offices, namelessPatients);
/** A journal of the offices. */
export const JOURNALED = mapping(offices, patients, officeChanges);
/** One more table. */
export const VISITED = mapping(offices, patients, visits);
/** One more column of patients, and one more table. */
export const GROWN = mapping(offices, tallPatients, visits);
/** Another key of visits, which a test has to add. */
export const CODED = mapping(offices, patients, codedVisits);
/** Without patients. */
export const OFFICES = mapping(offices);
