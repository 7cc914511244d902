import { expect, test } from 'vitest';
import { aligned } from '../../cli/aligned.ts';
import { parseSince } from '../../cli/records/list-command.ts';
import { listLines } from '../../cli/records/list-lines.ts';
import { shellWord } from '../../cli/records/list-words.ts';
import { fateLine } from '../../cli/records/retry-lines.ts';
import { elsewhere, nextSteps, showLines } from '../../cli/records/show-lines.ts';
import type { RecordRow } from '../../monitoring/record-list.ts';
import type { MissingReference, RootRecord } from '../../monitoring/root-record.ts';

const row = (given: Partial<RecordRow>): RecordRow => ({
  ...{ entity: 'invoice', key: '7', reason: 'MAPPING_THREW', parentKey: null, attempts: 2 },
  ...{ since: '2026-01-01T00:00:00Z', ageSeconds: 200, acceptedBy: null, note: null, ...given },
});

test('a list is counts, rows in columns, what is left out, and the next step', () => {
  const found = {
    total: 1200,
    counts: [
      { entity: 'invoice', reason: 'MAPPING_THREW', rows: 1199 },
      { entity: 'line', reason: 'TARGET_REFUSED_ROW', rows: 1 },
    ],
    rows: [row({}), row({ entity: 'line', key: '["1","2"]', attempts: 11 })],
  };
  expect(listLines('quarantine', found)).toEqual([
    ' rows  entity   reason',
    '1,199  invoice  MAPPING_THREW',
    '    1  line     TARGET_REFUSED_ROW',
    '',
    'entity   root key   reason         age         attempts',
    'invoice  7          MAPPING_THREW  3 min 20 s  2',
    'line     ["1","2"]  MAPPING_THREW  3 min 20 s  11',
    '… and 1,198 more: --limit 1200',
    '',
    'next: tandem quarantine show invoice 7',
  ]);
});

test('an issue about a value has no row to show; an accepted row says by whom and why', () => {
  const of = (list: 'issues' | 'accepted', rows: readonly RecordRow[]) =>
    listLines(list, { total: 1, counts: [], rows }).slice(-3);
  expect(of('issues', [row({ key: '', reason: 'state: code 9 has no label' })]).at(-1)).toMatch(
    /^invoice {2}\(any\) /,
  );
  expect(of('accepted', [row({ acceptedBy: 'ada', note: 'test data' })])).toEqual([
    'invoice  7         MAPPING_THREW  3 min 20 s  ada  test data',
    '',
    'next: tandem quarantine show invoice 7',
  ]);
});

test('columns are as wide as their widest cell; numbers end together', () => {
  expect(
    aligned(
      [
        ['a', '1', 'x'],
        ['bcd', '100', ''],
      ],
      new Set([1]),
    ),
  ).toEqual(['a      1  x', 'bcd  100']);
});

test('since is a duration or a time', () => {
  const now = Date.UTC(2026, 0, 2);
  expect(parseSince('24h', now)).toBe('2026-01-01T00:00:00.000Z');
  expect(parseSince('2026-01-01T08:00Z', now)).toBe('2026-01-01T08:00:00.000Z');
  expect(['', 'x', '24 apples', '2026-13-01'].map((text) => parseSince(text, now))).toEqual(
    Array(4).fill(null),
  );
});

test('a key is quoted where a shell would take it apart', () => {
  expect(['7', 'a-b', '["1","2"]', "it's", ''].map(shellWord)).toEqual([
    ...['7', 'a-b', `'["1","2"]'`, `'it'\\''s'`, `''`],
  ]);
});

test('what became of the rows is told list by list', () => {
  const none = { quarantine: 0, held: 0, unresolved: 0, issues: 0, accepted: 0, none: 0 };
  expect(fateLine({ entity: 'x', rows: 3, ...none, none: 2, held: 1 })).toBe(
    'x: 3 tried again: 2 applied, excluded or gone, 1 held',
  );
  expect(fateLine({ entity: 'x', rows: 1, ...none, quarantine: 1 })).toBe(
    'x: 1 tried again: 1 in quarantine',
  );
});

const root = (given: Partial<RootRecord>): RootRecord => ({
  ...{ entity: 'line', key: '3', kind: 'derived', entityState: 'active', sourceTable: 'shop_line' },
  ...{ mirror: { commitLsn: '0/5', changeLsn: '0/4', isDeleted: false } },
  ...{ quarantine: null, accepted: null, excluded: null, held: [], unresolved: [], issues: [] },
  ...given,
});
const missing = (parentState: string | null): MissingReference => ({
  ...{ targetTable: 'lines', targetId: '00', column: 'order_id', parentEntity: 'order' },
  ...{ parentTable: 'orders', parentKey: '9', firstSeenAt: 'then', parentState },
});

test.each([
  ['in the target', 'tandem held retry line 3'],
  ['in quarantine', 'tandem quarantine show order 9'],
  ['held', 'tandem held show order 9'],
  ['excluded: old', 'order 9 is left out by a rule'],
  [null, 'order 9 derives it again when it arrives'],
])('a row whose parent is %s: %s', (state, step) => {
  expect(nextSteps(root({ held: [missing(state)] }))[0]).toMatch(new RegExp(`^${step}`));
  expect(showLines(root({ held: [missing(state)] }))).toContain(
    `parent      ${state ?? 'has not arrived'}`,
  );
});

test('of an entity that stopped only that is said, since nothing else would help', () => {
  expect(nextSteps(root({ entityState: 'stopped', held: [missing(null)] }))).toEqual([
    'line is stopped: tandem resume line derives it again',
  ]);
});

test('a row that is on no list says where it is', () => {
  const mirror = { commitLsn: '0/5', changeLsn: '0/4', isDeleted: true };
  expect(
    [
      root({}),
      root({ mirror }),
      root({ mirror: null }),
      root({ excluded: 'old' }),
      root({ issues: [{ column: 'a', reason: 'b', firstSeenAt: '' }] }),
      root({ kind: 'journal', mirror: null }),
    ].map(elsewhere),
  ).toEqual([
    'it was applied, or a job is open',
    'it was deleted in the source',
    'shop_line has no such row',
    'it is excluded by the rule old',
    'it is with issues',
    'no list has an entry of that key',
  ]);
});
