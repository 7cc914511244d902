import { recordGroup } from '../records/record-group.ts';

/** `tandem issues list|show|retry`. */
export const issues = recordGroup('issues', 'the column, or the text');
