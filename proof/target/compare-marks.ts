import type pg from 'pg';
import { preparedRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import { acceptedRule } from '../../consumers/accepted.ts';
import { KEYS, MARKS, RENEWED, type Line, type Lines, type Mark } from '../../consumers/marks.ts';
import type { MarkFault } from './target-proof.ts';

/** The entries of the lists about some roots: those of a list by root key. */
export type PresentMarks = ReadonlyMap<Mark, ReadonlyMap<string, readonly Line[]>>;

const columnsOf = (list: Mark) => ['entity', 'root_key', ...MARKS[list]];

/** Reads what `lists` say about these roots. The others have nothing about the entity. */
export async function readMarks(
  client: pg.ClientBase,
  entity: string,
  lists: readonly Mark[],
  roots: readonly string[],
): Promise<PresentMarks> {
  const present = new Map<Mark, Map<string, Line[]>>();
  for (const list of lists) {
    const rows = await preparedRows(
      client,
      `select ${columnsOf(list).join(', ')} from tandem.${list}
       where entity = $1 and root_key = any($2::text[])`,
      [entity, arrayLiteral(roots)],
    );
    const byRoot = new Map<string, Line[]>();
    for (const row of rows) {
      const lines = byRoot.get(row[1] ?? '');
      if (lines === undefined) byRoot.set(row[1] ?? '', [row]);
      else lines.push(row);
    }
    present.set(list, byRoot);
  }
  return present;
}

/** Those about some of the roots. */
export function marksOf(
  present: PresentMarks,
  roots: readonly { readonly key: string }[],
): PresentMarks {
  const keys = new Set(roots.map(({ key }) => key));
  return new Map(
    [...present].map(([list, byRoot]) => [
      list,
      new Map([...byRoot].filter(([root]) => keys.has(root))),
    ]),
  );
}

/** Roots that the target refused: the mapping does not know of it, only the list does. */
export function refusedRoots(present: PresentMarks): ReadonlyMap<string, string> {
  const column = columnsOf('quarantine').indexOf('error_class');
  const message = columnsOf('quarantine').indexOf('message');
  const refused = new Map<string, string>();
  for (const [root, lines] of present.get('quarantine') ?? []) {
    const line = lines.find((it) => it[column] === 'TARGET_REFUSED_ROW');
    if (line !== undefined) refused.set(root, line[message] ?? '');
  }
  for (const [root, rules] of rulesOf(present)) {
    if (rules.has(acceptedRule('TARGET_REFUSED_ROW'))) refused.set(root, '');
  }
  return refused;
}

/** By root: the rules by which it is excluded. */
function rulesOf(present: PresentMarks): ReadonlyMap<string, ReadonlySet<string>> {
  const rule = columnsOf('excluded').indexOf('rule');
  const rules = new Map<string, ReadonlySet<string>>();
  for (const [root, lines] of present.get('excluded') ?? []) {
    rules.set(root, new Set(lines.map((line) => line[rule] ?? '')));
  }
  return rules;
}

/** Refusals that a person has accepted stand among the excluded, under the kind of error. */
export function withAccepted(lines: Lines, present: PresentMarks): Lines {
  if (lines.quarantine.length === 0) return lines;
  const rules = rulesOf(present);
  const code = columnsOf('quarantine').indexOf('error_class');
  const ruleOf = (line: Line) => acceptedRule(line[code] ?? '');
  const isAccepted = (line: Line) => rules.get(line[1] ?? '')?.has(ruleOf(line)) ?? false;
  const accepted = lines.quarantine.filter(isAccepted);
  return {
    ...lines,
    quarantine: lines.quarantine.filter((line) => !isAccepted(line)),
    excluded: [
      ...lines.excluded,
      ...accepted.map((line) => [line[0] ?? null, line[1] ?? null, ruleOf(line)]),
    ],
  };
}

/** What the lists say of these roots against what they must say. */
export function compareMarks(expected: Lines, present: PresentMarks): MarkFault[] {
  const faults: MarkFault[] = [];
  for (const list of Object.keys(MARKS) as Mark[]) {
    const wanted = new Map(expected[list].map((line) => [keyOf(list, line), line]));
    const found = new Map(
      [...(present.get(list)?.values() ?? [])].flat().map((line) => [keyOf(list, line), line]),
    );
    for (const [key, line] of wanted) {
      const other = found.get(key);
      if (other === undefined) faults.push(fault(list, 'missing', line));
      else if (!saysSame(list, line, other)) faults.push(fault(list, 'different', line));
    }
    for (const [key, line] of found) {
      if (!wanted.has(key)) faults.push(fault(list, 'extra', line));
    }
  }
  return faults;
}

/** What an entry is about, beside its root. */
const ABOUT: Readonly<Record<Mark, string>> = {
  held: 'target_column',
  unresolved: 'target_column',
  issue: 'target_column',
  excluded: 'rule',
  quarantine: 'error_class',
};

function fault(list: Mark, kind: MarkFault['kind'], line: Line): MarkFault {
  const of = line[columnsOf(list).indexOf(ABOUT[list])] ?? null;
  return { list, kind, root: line[1] ?? '', of };
}

const keyOf = (list: Mark, line: Line) =>
  JSON.stringify(KEYS[list].map((name) => line[columnsOf(list).indexOf(name)]));

/** Which change it was, and the place in the code where a `map` threw, are not of today. */
function saysSame(list: Mark, line: Line, other: Line): boolean {
  const columns = columnsOf(list);
  const threw = line[columns.indexOf('error_class')] === 'MAPPING_THREW';
  return RENEWED[list]
    .filter((name) => !name.endsWith('_lsn') && !(threw && name === 'message'))
    .every((name) => line[columns.indexOf(name)] === other[columns.indexOf(name)]);
}
