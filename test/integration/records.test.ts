import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshPair, type TestPair } from '../harness/database.ts';
import type { Ran, Workplace } from './cli-run.ts';
import { load, recordsWorkplace } from './records-workplace.ts';

// Only read here; what changes something is in records-retry.test.ts and records-accept.test.ts.
let pair: TestPair;
let work: Workplace;
beforeAll(async () => {
  pair = await freshPair();
  work = await recordsWorkplace(pair);
  expect((await work.run('held')).err).toMatch(/^error: NOT_SET_UP.*\nnext: {2}Run `tandem setup`/);
  await load(work);
});
afterAll(async () => {
  work[Symbol.dispose]();
  await pair[Symbol.asyncDispose]();
});

type Listed = {
  readonly list: string;
  readonly total: number;
  readonly counts: { entity: string; reason: string; rows: number }[];
  readonly rows: { entity: string; key: string; reason: string }[];
};
async function listed(...argv: string[]): Promise<Listed> {
  const { out, err } = await work.run(...argv, '--json');
  if (out === '') throw new Error(err);
  return JSON.parse(out) as Listed;
}
const keys = ({ rows }: Listed) => rows.map(({ entity, key }) => `${entity} ${key}`).sort();

test('quarantine counts by kind of error first, then lists the rows, in columns', async () => {
  const { code, out, err } = await work.run('quarantine');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out.replaceAll(/\d+ s$/gm, 'age').replaceAll(/\d+ s( +)1$/gm, 'age$11')).toMatch(
    new RegExp(
      [
        '^rows  entity  reason',
        '   2  office  MAPPING_REJECTED_ROW',
        '   1  link    MAPPING_REJECTED_ROW',
        '   1  office  MAPPING_THREW',
        '   1  office  TARGET_REFUSED_ROW',
        '',
        'entity  root key   reason                age  attempts',
      ].join('\n'),
    ),
  );
  expect(out).toMatch(/^link {4}\["1","2"\] {2}MAPPING_REJECTED_ROW +\d+ s +1$/m);
  expect(out).toContain("next: tandem quarantine show link '[");
  expect(out).not.toContain('much too long');
});

test('held and unresolved name column, parent and its key; issues column and reason', async () => {
  expect(await listed('held')).toMatchObject({
    list: 'held',
    total: 2,
    counts: [{ entity: 'visit', reason: 'patient_id -> patient', rows: 2 }],
    rows: [
      { entity: 'visit', key: '2', reason: 'patient_id -> patient', parentKey: '9' },
      { entity: 'visit', key: '3', reason: 'patient_id -> patient', parentKey: '9' },
    ],
  });
  expect((await work.run('held')).out).toMatch(/^visit +2 +patient_id -> patient 9 +\d+ s$/m);
  expect(await listed('unresolved')).toMatchObject({
    total: 1,
    rows: [{ entity: 'patient', key: '2', reason: 'office_id -> office', parentKey: '2' }],
  });
  expect(await listed('issues')).toMatchObject({
    total: 1,
    rows: [{ entity: 'patient', key: '3', reason: 'height: more than 250' }],
  });
});

test.each([
  [['quarantine', '--entity', 'link'], ['link ["1","2"]']],
  [['quarantine', '--reason', 'MAPPING_THREW'], ['office 4']],
  [['quarantine', '--reason', 'nothing'], []],
  [
    ['quarantine', '--entity', 'office', '--reason', 'MAPPING_REJECTED_ROW'],
    ['office 2', 'office 6'],
  ],
  [
    ['held', '--reason', 'patient_id'],
    ['visit 2', 'visit 3'],
  ],
  [
    ['held', '--reason', 'patient'],
    ['visit 2', 'visit 3'],
  ],
  [
    ['held', '--reason', 'patients'],
    ['visit 2', 'visit 3'],
  ],
  [['held', '--reason', 'office'], []],
  [['unresolved', '--reason', 'offices'], ['patient 2']],
  [['issues', '--reason', 'height'], ['patient 3']],
  [['issues', '--reason', 'more than 250'], ['patient 3']],
  [['issues', '--since', '1h'], ['patient 3']],
  [['issues', '--since', '2999-01-01'], []],
  [['quarantine', '--accepted'], []],
])('%j finds %j', async (argv, expected) => {
  expect(keys(await listed(...argv))).toEqual(expected);
});

test('a limit leaves rows out, says how many, and counts all of them', async () => {
  const { out } = await work.run('quarantine', 'list', '--limit', '2');
  expect(out).toContain('… and 3 more: --limit 5');
  const found = await listed('quarantine', '--limit', '2');
  expect([found.rows.length, found.total]).toEqual([2, 5]);
  await pair.target.query(`update tandem.quarantine set first_seen_at = now() - interval '2 days'
    where entity = 'link'`);
  expect(keys(await listed('quarantine', '--limit', '1'))).toEqual(['link ["1","2"]']);
  expect(keys(await listed('quarantine', '--since', '24h'))).not.toContain('link ["1","2"]');
});

test('an empty list says so', async () => {
  expect((await work.run('held', 'list', '--entity', 'office')).out).toBe('none held\n');
});

test('show says which rule, which row of which table, its versions and attempts, and what to do', async () => {
  const [row] = await pair.target.query(
    'select _commit_lsn::text as lsn from legacy.office where id = 2',
  );
  const lsn = String(row?.['lsn']);
  const { code, out, err } = await work.run('quarantine', 'show', 'office', '2');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain(`root        office 2\nmirror      version ${lsn} 0/0\n`);
  expect(out).toContain('refused     MAPPING_REJECTED_ROW\nbecause     name is not one\n');
  expect(out).toContain(`version     ${lsn} 0/0\nattempts    1, the first at `);
  expect(out).toContain('tandem quarantine retry office 2');
  expect(out).toContain('tandem quarantine accept office 2 --reason');
  expect((await work.run('quarantine', 'show', 'office', '5')).out).toContain('constraint=short');
});

test('show of a row that waits says what became of its parent', async () => {
  const held = await work.run('held', 'show', 'visit', '2');
  expect(held.out).toContain('held by     visits.patient_id -> patient 9 (patients)');
  expect(held.out).toContain('parent      has not arrived');
  const unresolved = await work.run('unresolved', 'show', 'patient', '2');
  expect(unresolved.out).toContain('parent      in quarantine');
  expect(unresolved.out).toContain('next        tandem quarantine show office 2');
  const issue = await work.run('issues', 'show', 'patient', '3', '--json');
  expect(JSON.parse(issue.out)).toMatchObject({
    issues: [{ column: 'height', reason: 'more than 250' }],
  });
});

test('values are shown only when asked for, with a warning, and never a secret', async () => {
  expect((await work.run('issues', 'show', 'patient', '3')).out).not.toContain('cyd');
  const { out, err } = await work.run('issues', 'show', 'patient', '3', '--show-values');
  expect(err).toBe('warning: values of a row follow; they may be personal data\n');
  expect(out).toMatch(/^ {2}name +cyd$/m);
  expect(out).toMatch(/^ {2}office_id +\(null\)$/m);
  const json = await work.run('quarantine', 'show', 'office', '2', '--show-values', '--json');
  expect(JSON.parse(json.out)).toMatchObject({ values: { id: '2', name: 'bad' } });
  expect(json.out).not.toContain('token');
  const pair = await work.run('quarantine', 'show', 'link', '["1","2"]', '--show-values');
  expect(pair.out).toMatch(/^ {2}patient_id +2$/m);
});

const refused = ({ code, out, err }: Ran) => ({ code, out, err: err.split('\n')[0] });

test.each([
  [['held', 'list', '--entity', 'vist'], 2, 'error: no entity is named vist; did you mean visit?'],
  [['held', 'show', 'zebra', '1'], 2, 'error: no entity is named zebra'],
  [['held', 'retry', 'visti'], 2, 'error: no entity is named visti; did you mean visit?'],
  [['held', 'shwo'], 2, "error: unknown command 'shwo'"],
  [['held', 'show', 'visit'], 2, "error: missing required argument 'key'"],
  [['held', '--limit', '0'], 2, 'error: --limit 0 is not a number of rows, for example 100'],
  [
    ['held', '--since', 'lately'],
    2,
    'error: --since lately is neither a duration nor a time, for example 24h or 2026-01-31',
  ],
  [
    ['held', 'show', 'visit', '1'],
    1,
    'error: visit 1 is not held: it was applied, or a job is open',
  ],
  [['held', 'show', 'visit', '77'], 1, 'error: visit 77 is not held: visit has no such row'],
  [['held', 'show', 'office', '2'], 1, 'error: office 2 is not held: it is in quarantine'],
  [
    ['held', 'show', 'office', '3'],
    1,
    'error: office 3 is not held: it is excluded by the rule closed_office',
  ],
  [['held', 'show', 'visit', 'two'], 2, 'error: KEY_MALFORMED key=two table=visit columns=id'],
  [
    ['quarantine', 'show', 'link', '1'],
    2,
    'error: KEY_MALFORMED key=1 table=link columns=office_id,patient_id',
  ],
  [['held', 'retry'], 2, 'error: name an entity (and keys), or give --all'],
  [['held', 'retry', 'visit', '--all'], 2, 'error: name an entity (and keys), or give --all'],
  [['held', 'retry', 'visit', '2', '1'], 1, 'error: not held: visit 1; nothing was tried'],
  [
    ['held', 'retry', '--all', '--timeout', 'x'],
    2,
    'error: --timeout x is not a duration, for example 60s or 5m',
  ],
  [
    ['quarantine', 'retry', 'room_change'],
    1,
    /^error: room_change cannot be tried again: a journal sees/,
  ],
  [['quarantine', 'accept', 'office', '2'], 2, 'error: say why: --reason "…"'],
  [['quarantine', 'accept', 'office', '2', '--reason', ' '], 2, 'error: say why: --reason "…"'],
  [['quarantine', 'accept', 'office', '--reason', 'x'], 2, /^error: name an entity and keys/],
  [
    ['quarantine', 'accept', 'office', '1', '--reason', 'x'],
    1,
    'error: not in quarantine: office 1; nothing was accepted',
  ],
  [
    ['quarantine', 'accept', 'ofice', '1', '--reason', 'x'],
    2,
    'error: no entity is named ofice; did you mean office?',
  ],
  [
    ['quarantine', 'accept', '--all', '--entity', 'office', '--reason', 'x'],
    2,
    /^error: --all takes --entity and --code/,
  ],
  [
    ['quarantine', 'accept', 'office', '2', '--code', 'X', '--reason', 'x'],
    2,
    'error: --entity and --code go with --all',
  ],
  [
    [
      'quarantine',
      'accept',
      '--all',
      '--entity',
      'office',
      '--code',
      'MAPPING_TREW',
      '--reason',
      'x',
    ],
    1,
    'error: no row of office was refused with MAPPING_TREW; did you mean MAPPING_THREW?',
  ],
  [
    [
      'quarantine',
      'accept',
      '--all',
      '--entity',
      'office',
      '--code',
      'MAPPING_THREW',
      '--reason',
      'x',
    ],
    2,
    'error: 1 rows would be left out, and there is nobody to ask',
  ],
])('%j is refused with %i', async (argv, code, message) => {
  const before = await pair.target.query('select count(*) from tandem.job');
  expect(refused(await work.run(...argv))).toEqual({
    code,
    out: '',
    err: typeof message === 'string' ? message : (expect.stringMatching(message) as unknown),
  });
  expect(await pair.target.query('select count(*) from tandem.job')).toEqual(before);
  expect(await pair.target.query('select * from tandem.accepted')).toEqual([]);
});
