import type { ForeseenChanges, OutcomeChange, TableChanges } from '../proof/changes/foreseen.ts';
import { formatCount } from './units.ts';

/** What `tandem reprocess --dry-run` shows for a person. */
export function foreseenLines(found: readonly ForeseenChanges[]): string[] {
  return found.flatMap((one) => {
    const lines = [...one.tables.flatMap(tableLines), ...one.outcomes.map(outcomeLine)];
    if (one.unforeseeable > 0) {
      const rows = formatCount(one.unforeseeable);
      lines.push(
        `${rows} that the target refused are tried again; what comes of it only it can say`,
      );
    }
    const nothing = lines.length === 0 ? ': nothing would change' : '';
    const head = `${one.entity}: ${formatCount(one.roots)} roots${nothing}`;
    return [head, ...lines.map((line) => `  ${line}`)];
  });
}

function tableLines({ table, inserted, changed, removed, columns, examples }: TableChanges) {
  const parts = [
    [inserted, 'inserted'],
    [changed, 'changed'],
    [removed, 'removed'],
  ].flatMap(([count = 0, word]) => (count === 0 ? [] : [`${formatCount(Number(count))} ${word}`]));
  const often = Object.entries(columns).sort(([, a], [, b]) => b - a);
  return [
    `${table}: ${parts.join(', ')}${exampleText(examples)}`,
    ...often.map(([column, count]) => `  ${column}: differs in ${formatCount(count)}`),
  ];
}

function outcomeLine({ list, becomes, of, count, examples }: OutcomeChange): string {
  const what = of === null ? list : `${list} (${of})`;
  return `${what}: ${formatCount(count)} ${becomes}${exampleText(examples)}`;
}

const exampleText = (examples: readonly string[]) =>
  examples.length === 0 ? '' : `; for example ${examples.join(', ')}`;
