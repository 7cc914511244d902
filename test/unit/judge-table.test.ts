import { describe, expect, test } from 'vitest';
import type { CatalogTable } from '../../connectors/postgres/catalog.ts';
import { judgeTable, type HeldTable } from '../../connectors/postgres/judge-table.ts';
import type { ColumnKind } from '../../core/legacy-table.ts';
import { parseTruncatePolicy, truncateAction } from '../../core/truncate-policy.ts';

/** `note (id integer primary key, body …)`, as a source's catalogue has it. */
function noteWith(body: string | null, change: Partial<CatalogTable> = {}): CatalogTable {
  const column = (name: string, type: string) => ({
    ...{
      name,
      type,
      mirrorType: type,
      baseType: type,
      position: 1,
      baseKind: 'b',
      isDomain: false,
    },
    ...{ isNotNull: false, hasDefault: false, isIdentity: false, isGenerated: false },
  });
  return {
    ...{ schema: 'public', relation: 'note', oid: 1, kind: 'table', isPartition: false },
    columns: [column('id', 'integer'), ...(body === null ? [] : [column('body', body)])],
    primaryKey: ['id'],
    keys: [{ name: 'note_pkey', kind: 'primary', columns: ['id'], isDeferrable: false }],
    replicaIdentity: { kind: 'default', columns: ['id'] },
    ...{ foreignKeys: [], indexes: [], isUnlogged: false, rowSecurity: 'off' },
    ...{ estimatedRows: 0, bytes: 0n },
    ...change,
  };
}

const heldWith = (body: string): HeldTable => ({
  key: ['id'],
  types: new Map([
    ['id', 'integer'],
    ['body', body],
  ]),
  kept: new Map([
    ['id', 'integer'],
    ['body', body],
  ]),
});

const judge = (declaredAs: ColumnKind, before: string, found: CatalogTable | undefined) =>
  judgeTable(
    'note',
    {
      key: ['id'],
      columns: ['body'],
      kinds: new Map<string, ColumnKind>([
        ['id', 'int4'],
        ['body', declaredAs],
      ]),
    },
    found,
    heldWith(before),
  );

describe('what becomes of a column whose type changes', () => {
  test.each<[ColumnKind, string, string, 'same' | 'widened' | 'read again' | 'stopped']>([
    ['int4', 'integer', 'integer', 'same'],
    ['int4', 'integer', 'bigint', 'widened'],
    ['int4', 'bigint', 'integer', 'read again'],
    ['int4', 'integer', 'numeric', 'stopped'],
    ['numeric', 'integer', 'numeric', 'widened'],
    ['numeric', 'numeric(10,2)', 'numeric(12,4)', 'widened'],
    ['numeric', 'numeric(10,2)', 'numeric', 'widened'],
    ['numeric', 'numeric(12,4)', 'numeric(12,2)', 'read again'],
    ['numeric', 'real', 'double precision', 'read again'],
    ['text', 'character varying(10)', 'character varying(20)', 'widened'],
    ['text', 'character varying(20)', 'character varying(10)', 'read again'],
    ['text', 'character varying(20)', 'text', 'widened'],
    ['text', 'character(5)', 'text', 'read again'],
    ['text', 'public.mood', 'text', 'read again'],
    ['text', 'integer', 'text', 'read again'],
    ['int4', 'integer', 'text', 'stopped'],
    ['timestamptz', 'timestamp(0) with time zone', 'timestamp with time zone', 'widened'],
    ['timestamptz', 'timestamp with time zone', 'timestamp(0) with time zone', 'read again'],
    ['timestamp', 'timestamp without time zone', 'timestamp with time zone', 'stopped'],
  ])('declared as %s, %s becomes %s: %s', (declaredAs, before, now, expected) => {
    const verdict = judge(declaredAs, before, noteWith(now));
    if (verdict.kind === 'stopped') return expect('stopped').toBe(expected);
    const { widened, remade, isNew } = verdict;
    expect(isNew).toBe(false);
    const found = widened.length > 0 ? 'widened' : remade.length > 0 ? 'read again' : 'same';
    expect(found).toBe(expected);
  });
});

test.each<[string, CatalogTable | undefined, string]>([
  ['table', undefined, 'the source does not have the table'],
  ['column', noteWith(null), 'the column body'],
  ['key', noteWith('text', { keys: [], primaryKey: [] }), 'the source has none'],
  [
    'replica identity',
    noteWith('text', { replicaIdentity: { kind: 'nothing', columns: [] } }),
    'key column id',
  ],
])('without its %s a table stops, with the reason', (_, found, reason) => {
  expect(judge('text', 'text', found)).toMatchObject({
    kind: 'stopped',
    reason: expect.stringContaining(reason) as unknown,
  });
});

test('a mirror that a wider type fits already is left as it is', () => {
  const held = { ...heldWith('bigint'), kept: new Map([...heldWith('integer').kept]) };
  const declared = { key: ['id'], columns: ['body'], kinds: new Map<string, ColumnKind>() };
  const verdict = judgeTable('note', declared, noteWith('bigint'), held);
  expect(verdict).toMatchObject({ kind: 'usable', widened: [], remade: [] });
});

test.each([
  ['stop', 'note', 'stop'],
  ['stop,note=apply', 'note', 'apply'],
  ['stop, note = ignore , stock=apply', 'note', 'ignore'],
  ['apply,note=stop', 'other', 'apply'],
])('with ON_TRUNCATE=%s, %s: %s', (text, table, action) => {
  const policy = parseTruncatePolicy(text);
  expect(policy === null ? null : truncateAction(policy, table)).toBe(action);
});

test.each([
  '',
  'explode',
  'stop,note',
  'stop,note=',
  'stop,=apply',
  'stop,a=apply,a=stop',
  'a=stop',
])('ON_TRUNCATE=%s is refused', (text) => {
  expect(parseTruncatePolicy(text)).toBeNull();
});
