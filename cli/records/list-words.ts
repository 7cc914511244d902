import type { RecordListName } from '../../monitoring/record-list.ts';

/** How the lists are spoken of: the rows stand … */
export const STANDING: Readonly<Record<RecordListName, string>> = {
  quarantine: 'in quarantine',
  held: 'held',
  unresolved: 'unresolved',
  issues: 'with issues',
  accepted: 'accepted',
};

/** A word of a command line, quoted where a shell would take it apart. */
export const shellWord = (text: string): string =>
  /^[\w.:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
