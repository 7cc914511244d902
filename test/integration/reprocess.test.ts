import { expect, test } from 'vitest';
import { freshPair, type TestDatabase } from '../harness/database.ts';
import { Workplace } from './cli-run.ts';
import { controlWorkplace, editedMapping } from './control-workplace.ts';

/** The same folder, with other settings. */
class Other extends Workplace {
  override [Symbol.dispose](): void {}
  constructor(settings: Record<string, string>) {
    super(settings);
  }
}

type Rows = Map<string, Record<string, unknown>>;
const NO_ROWS: Rows = new Map();

async function rowsOf(target: TestDatabase, table: string): Promise<Rows> {
  const rows = await target.query(`select * from ${table}`);
  return new Map(rows.map((row) => [String(row['id']), row]));
}

/** What became of the rows of a table, as a dry run counts it. */
function changesBetween(before: Rows, after: Rows): Record<string, unknown> {
  const columns: Record<string, number> = {};
  let [inserted, changed, removed] = [0, 0, 0];
  for (const [id, row] of after) {
    const old = before.get(id);
    if (old === undefined) inserted++;
    else if (row['deleted_at'] !== null && old['deleted_at'] === null) {
      removed++;
      continue;
    }
    const differing = Object.keys(row).filter(
      (name) => old !== undefined && row[name] !== old[name],
    );
    if (differing.length > 0) changed++;
    for (const name of differing) columns[name] = (columns[name] ?? 0) + 1;
  }
  return { inserted, changed, removed, columns };
}

type Found = {
  entities: {
    entity: string;
    tables: {
      table: string;
      inserted: number;
      changed: number;
      removed: number;
      columns: Record<string, number>;
    }[];
    outcomes: { list: string; becomes: string; of: string | null; count: number }[];
  }[];
};

/** Heights and names come out otherwise; offices whose name begins with "closed" are let in. */
const EDITS = [
  [`name: root.name, height: root.height }`, `name: root.name, height: (root.height ?? 0) % 7 }`],
  [`(root.height ?? 0) > 250`, `(root.height ?? 0) > 190`],
  [`if (root.name === 'closed') return excluded('closed_office');`, ''],
  [`name.startsWith('bad')`, `name.endsWith('3')`],
  [
    `map: (root) => row({ id: ref('visit'`,
    `map: (root) => root.id % 10 === 3 ? excluded('third') : row({ id: ref('visit'`,
  ],
] as const;

test('what a dry run shows is what then happens, and it writes nothing itself', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  const { target } = pair;
  const other = new Other(editedMapping(work, ...EDITS));
  const tables = { office: 'offices', patient: 'patients', visit: 'visits' };
  const read = async () =>
    new Map(
      await Promise.all(
        Object.values(tables).map(async (name) => [name, await rowsOf(target, name)] as const),
      ),
    );
  const lists = async () =>
    Object.fromEntries(
      (
        await target.query(`select 'excluded' as list, count(*)::int as n from tandem.excluded
          union all select 'quarantine', count(*)::int from tandem.quarantine where entity = 'office'
          union all select 'issue', count(*)::int from tandem.issue order by 1`)
      ).map((row) => [row['list'], row['n']]),
    ) as Record<string, number>;
  const untouched = () => target.query(`select sum(xmin::text::bigint) from patients`);
  for (const [entity, table] of Object.entries(tables)) {
    const [before, listed, marks] = [await read(), await lists(), await untouched()];
    const { code, out, err } = await other.run(
      'reprocess',
      '--entity',
      entity,
      '--dry-run',
      '--json',
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(await untouched()).toEqual(marks);
    const [found] = (JSON.parse(out) as Found).entities;
    expect((await other.run('reprocess', '--entity', entity)).out).toContain(
      `derived again: ${entity}`,
    );
    const foreseen = found?.tables.find((it) => it.table === table);
    const none = { inserted: 0, changed: 0, removed: 0, columns: {} };
    const { inserted, changed, removed, columns } = foreseen ?? none;
    const happened = changesBetween(
      before.get(table) ?? NO_ROWS,
      (await read()).get(table) ?? NO_ROWS,
    );
    expect({ inserted, changed, removed, columns }).toEqual(happened);
    const after = await lists();
    for (const list of ['excluded', 'quarantine', 'issue']) {
      const sum = (becomes: string) =>
        (found?.outcomes ?? [])
          .filter((it) => it.list === list && it.becomes === becomes)
          .reduce((total, { count }) => total + count, 0);
      const difference = (after[list] ?? 0) - (listed[list] ?? 0);
      expect([entity, list, sum('added') - sum('taken off')]).toEqual([entity, list, difference]);
    }
  }
  const text = (await other.run('reprocess', '--all', '--dry-run')).out;
  expect(text).toMatch(/^patient: 404 roots: nothing would change$/m);
});

test('a dry run tells people what changes, by table, column and rule, and names keys', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  const other = new Other(editedMapping(work, ...EDITS));
  const { out } = await other.run('reprocess', '--entity', 'office', '--dry-run');
  expect(out).toBe(`office: 37 roots
  offices: 3 inserted; for example 3, 2, 6
  excluded (closed_office): 1 taken off; for example 3
  quarantine (MAPPING_REJECTED_ROW): 3 added; for example 13, 23, 33
  quarantine (MAPPING_REJECTED_ROW): 2 taken off; for example 2, 6
  1 that the target refused are tried again; what comes of it only it can say
`);
});

test('roots are chosen by key, by a condition, and by what changed since a place or a time', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  const { target } = pair;
  const other = new Other(editedMapping(work, ...EDITS));
  const touched = async () =>
    (
      await target.query(
        `select split_part(name, ' ', 2)::int as id from patients where height < 7 and name ~ '^patient' order by 1`,
      )
    ).map((row) => row['id']);
  await target.query('update patients set height = 1000');
  expect((await other.run('reprocess', '--entity', 'patient', '--ids', '101,102')).out).toBe(
    'patient: 2 roots\nderived again: patient\n',
  );
  expect(await touched()).toEqual([101, 102]);
  const where = ['--where', `height between 3 and 4 or name = 'patient 110' -- or so`];
  expect((await other.run('reprocess', '--entity', 'patient', ...where)).out).toContain('5 roots');
  expect(await touched()).toEqual([101, 102, 110, 203, 204, 403, 404]);
  const links = await other.run('reprocess', '--entity', 'link', '--ids', '[["1","1"]]');
  expect(links.out).toContain('link: 1 roots');

  // One row, and one that visits read through nothing: of visits only their own count.
  await target.query(`update legacy.patient set _commit_lsn = '200/0' where id in (300, 301)`);
  await target.query(`update legacy.visit set _commit_lsn = '200/0' where id = 11`);
  const since = async (entity: string) =>
    (await other.run('reprocess', '--entity', entity, '--since', '100/0')).out;
  expect(await since('patient')).toContain('patient: 2 roots');
  expect(await since('visit')).toContain('visit: 1 roots');
  expect(await since('office')).toBe('office: 0 roots\n');

  // The same by a time: the place that the log had reached by then is known.
  const byTime = (time: string) => other.run('reprocess', '--entity', 'patient', '--since', time);
  expect((await byTime('2026-01-31')).err).toContain('TIME_UNKNOWN');
  await target.query(`insert into tandem.moment
    select stream, 1, '2026-01-31T08:00Z', '100/0' from tandem.position`);
  expect((await byTime('2026-01-31T08:01Z')).out).toContain('patient: 2 roots');
  expect((await byTime('2026-01-31T07:59Z')).err).toContain('from=2026-01-31T08:00:01.000Z');
});

const BAD_INPUT = [
  [['--ids', '1'], 2, 'name entities with --entity, or give --all'],
  [['--entity', 'patiend'], 2, 'no entity is named patiend; did you mean patient?'],
  [['--entity', 'room_change'], 2, 'room_change is a journal'],
  [['--entity', 'patient,visit', '--ids', '1'], 2, '--ids needs one entity'],
  [
    ['--entity', 'patient', '--ids', '1', '--where', 'true'],
    2,
    '--ids and --where exclude each other',
  ],
  [
    ['--entity', 'patient', '--since', 'yesterday'],
    2,
    '--since yesterday is not a place in the log of the source, or a time',
  ],
  [['--entity', 'patient', '--ids', '1,777'], 1, 'not in the mirror of patient: 777'],
  [['--entity', 'patient', '--ids', 'x'], 2, 'KEY_MALFORMED'],
  [['--entity', 'link', '--ids', '1'], 2, 'KEY_MALFORMED'],
  [['--entity', 'patient', '--where', 'heigth > 3'], 2, 'column "heigth" does not exist'],
  [['--entity', 'patient', '--where', 'true; drop table offices'], 2, 'CONDITION_INVALID'],
  [['--entity', 'patient', '--where', `nextval('public.s') > 0`], 2, 'it would write'],
] as const;

test('bad input is named, and nothing is done', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  await pair.target.query('create sequence public.s');
  for (const [argv, code, problem] of BAD_INPUT) {
    const found = await work.run('reprocess', ...argv);
    expect({ argv, ...found }).toMatchObject({
      code,
      err: expect.stringContaining(problem) as unknown,
    });
  }
  expect(await pair.target.query('select id from tandem.job')).toEqual([]);
});

test('what takes too long is said to be open, not left to a process that is not there', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  const found = await work.run('reprocess', '--entity', 'office', '--timeout', '0s');
  const err = expect.stringContaining('the job is open') as unknown;
  expect(found).toMatchObject({ code: 3, out: '', err });
});
