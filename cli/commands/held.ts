import { recordGroup } from '../records/record-group.ts';

/** `tandem held list|show|retry`. */
export const held = recordGroup('held', "the column, the parent's entity or its table");
