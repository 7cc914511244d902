import { RECORD_LISTS, type RecordListName } from '../../monitoring/record-list.ts';
import { formatCount } from '../units.ts';
import { STANDING } from './list-words.ts';

/** What became of an entity's roots that were tried again: how many stand where. */
export type Fate = { readonly entity: string; readonly rows: number } & Readonly<
  Record<RecordListName | 'none', number>
>;

/** `customer: 3 tried again: 2 applied or gone, 1 in quarantine`. */
export function fateLine(fate: Fate): string {
  const parts = RECORD_LISTS.filter((list) => fate[list] > 0).map(
    (list) => `${formatCount(fate[list])} ${STANDING[list]}`,
  );
  if (fate.none > 0) parts.unshift(`${formatCount(fate.none)} applied, excluded or gone`);
  return `${fate.entity}: ${formatCount(fate.rows)} tried again: ${parts.join(', ')}`;
}
