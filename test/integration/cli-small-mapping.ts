import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestPair } from '../harness/database.ts';
import { Workplace } from './cli-run.ts';

const core = join(import.meta.dirname, '..', '..', 'core');

export const LEGACY_SQL = `
  create table office (id int primary key, name text not null, secret_token text);
  create table patient (id int primary key, office_id int references office, name text,
    height smallint);`;

export const TARGET_SQL = `
create table public.offices (
  id uuid primary key,
  name text not null
);
create table public.patients (id uuid primary key, office_id uuid references public.offices, name text);
-- the end
`;

/** A mapping of two tables; parts of its text can be replaced to break it. */
export function smallMapping(replace: readonly (readonly [string, string])[] = []): string {
  let text = `
    import { int2, int4, text } from '${core}/legacy-table.ts';
    import { legacyTable } from '${core}/shape.ts';
    import { entity } from '${core}/entity.ts';
    import { ref, row } from '${core}/outcome.ts';
    const office = legacyTable('office', 'id', { id: int4, name: text, secret_token: text.neverRead });
    const patient = legacyTable('patient', 'id', { id: int4, office_id: int4.orNull, name: text.orNull, height: int2.orNull });
    const offices = entity({ name: 'office', target: 'offices', from: office.select('name'),
      map: (root) => row({ id: ref('office', root.id), name: root.name }) });
    const patients = entity({ name: 'patient', target: 'patients', from: patient.select('office_id', 'name'),
      map: (root) => row({ id: ref('patient', root.id), office_id: ref('office', root.office_id), name: root.name }) });
    export default { name: 'small', migrations: './migrations', entities: [offices, patients] };
  `;
  for (const [old, replacement] of replace) {
    if (!text.includes(old)) throw new Error(`the small mapping has no ${old}`);
    text = text.replace(old, replacement);
  }
  return text;
}

/** A pair of databases with their legacy tables, and a folder with mapping and migration. */
export async function smallWorkplace(
  pair: TestPair,
  settings: Readonly<Record<string, string>> = {},
): Promise<Workplace> {
  await pair.source.query(LEGACY_SQL);
  const work = new Workplace({
    SOURCE_URL: pair.source.connectionString,
    TARGET_URL: pair.target.connectionString,
    TANDEM_SLOT: pair.source.name,
    MAPPING: './mapping.ts',
    ...settings,
  });
  work.write('mapping.ts', smallMapping());
  work.write('migrations/20260101000000_tables.sql', TARGET_SQL);
  return work;
}

/** The connection string with other parts. */
export function urlWith(connectionString: string, change: (url: URL) => void): string {
  const url = new URL(connectionString);
  change(url);
  return url.href;
}

export const readText = (work: Workplace, file: string): string =>
  readFileSync(join(work.folder, file), 'utf8');
