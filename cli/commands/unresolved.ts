import { recordGroup } from '../records/record-group.ts';

/** `tandem unresolved list|show|retry`. */
export const unresolved = recordGroup('unresolved', "the column, the parent's entity or its table");
