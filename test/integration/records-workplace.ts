import { join } from 'node:path';
import type { TestPair } from '../harness/database.ts';
import { Workplace } from './cli-run.ts';

const core = join(import.meta.dirname, '..', '..', 'core');

/** No foreign keys: children may come before their parents, and without them. */
const LEGACY = `
  create table office (id int primary key, name text not null, token text);
  create table patient (id int primary key, office_id int, name text, height int);
  create table visit (id int primary key, patient_id int not null, room text);
  create table link (office_id int, patient_id int, label text, primary key (office_id, patient_id));`;

const TARGET = `
create table public.offices (
  id uuid primary key,
  name text not null constraint short check (length(name) < 12)
);
create table public.patients (
  id uuid primary key,
  office_id uuid references public.offices deferrable initially deferred,
  name text, height int
);
create table public.visits (
  id uuid primary key,
  patient_id uuid not null references public.patients deferrable initially deferred,
  room text
);
create table public.links (id uuid primary key, label text);
create table public.room_changes (
  id uuid primary key,
  visit_id uuid not null references public.visits deferrable initially deferred
);
`;

/**
 * Offices whose name begins with "bad" are rejected, those named "boom" make `map` throw, those named "closed" are
 * excluded, and long names are refused by the target. A link without a label is rejected.
 */
const MAPPING = `
  import { int4, text } from '${core}/legacy-table.ts';
  import { legacyTable } from '${core}/shape.ts';
  import { entity, journal } from '${core}/entity.ts';
  import { excluded, ref, rejected, row } from '${core}/outcome.ts';
  import { formatLsn } from '${core}/version.ts';
  const office = legacyTable('office', 'id', { id: int4, name: text, token: text.neverRead });
  const patient = legacyTable('patient', 'id',
    { id: int4, office_id: int4.orNull, name: text.orNull, height: int4.orNull });
  const visit = legacyTable('visit', 'id', { id: int4, patient_id: int4, room: text.orNull });
  const link = legacyTable('link', ['office_id', 'patient_id'],
    { office_id: int4, patient_id: int4, label: text.orNull });
  const offices = entity({ name: 'office', target: 'offices', from: office.select('name'),
    map(root) {
      if (root.name.startsWith('bad')) return rejected('name is not one');
      if (root.name === 'boom') throw new Error('no ' + root.name);
      if (root.name === 'closed') return excluded('closed_office');
      return row({ id: ref('office', root.id), name: root.name });
    } });
  const patients = entity({ name: 'patient', target: 'patients',
    from: patient.select('office_id', 'name', 'height'),
    map: (root) => row({ id: ref('patient', root.id), office_id: ref('office', root.office_id),
      name: root.name, height: root.height },
      (root.height ?? 0) > 250 ? [{ column: 'height', reason: 'more than 250' }] : []) });
  const visits = entity({ name: 'visit', target: 'visits', from: visit.select('patient_id', 'room'),
    map: (root) => row({ id: ref('visit', root.id), patient_id: ref('patient', root.patient_id),
      room: root.room }) });
  const links = entity({ name: 'link', target: 'links', from: link.select('label'),
    map: (root) => root.label === null ? rejected('label is missing')
      : row({ id: ref('link', [root.office_id, root.patient_id]), label: root.label }) });
  const rooms = journal({ name: 'room_change', target: 'room_changes', from: visit.select('room'),
    map({ after, version: { commitLsn, changeLsn } }) {
      if (after.room === 'bad') return rejected('room is not one');
      return row({ id: ref('room_change', after.id + ' ' + formatLsn(commitLsn) + ' ' + formatLsn(changeLsn)),
        visit_id: ref('visit', after.id) });
    } });
  export default { name: 'small', migrations: './migrations',
    entities: [offices, patients, visits, links, rooms] };
`;

/** One row for every list, beside others that are simply applied. */
const ROWS = `
  insert into office values (1, 'north', 'secret-token'), (2, 'bad', null), (3, 'closed', null),
    (4, 'boom', null), (5, 'much too long a name', null), (6, 'bad', null);
  insert into patient values (1, 1, 'ada', 170), (2, 2, 'bob', null), (3, null, 'cyd', 300);
  insert into visit values (1, 1, 'a'), (2, 9, 'b'), (3, 9, 'c');
  insert into link values (1, 1, 'x'), (1, 2, null);`;

/** A pair of databases with rows for every list, and a folder with mapping, migration and settings. */
export async function recordsWorkplace(
  pair: TestPair,
  settings: Readonly<Record<string, string>> = {},
  controlViews: string | null = null,
): Promise<Workplace> {
  await pair.source.query(LEGACY + ROWS);
  const work = new Workplace({
    SOURCE_URL: pair.source.connectionString,
    TARGET_URL: pair.target.connectionString,
    TANDEM_SLOT: pair.source.name,
    HEARTBEAT_SECONDS: '1',
    LOG_LEVEL: 'warn',
    ...settings,
  });
  work.environment['MAPPING'] = work.write(
    'mapping.ts',
    controlViews === null
      ? MAPPING
      : MAPPING.replace('entities: [', `controlViews: '${controlViews}', entities: [`),
  );
  work.write('migrations/20260101000000_tables.sql', TARGET);
  return work;
}

/** Sets up and loads. */
export async function load(work: Workplace): Promise<void> {
  for (const command of ['setup', 'backfill']) {
    const { code, err } = await work.run(command);
    if (code !== 0) throw new Error(`tandem ${command}: ${err}`);
  }
}
