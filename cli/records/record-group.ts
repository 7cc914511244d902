import type { RecordListName } from '../../monitoring/record-list.ts';
import type { CommandEntry, CommandGroup } from '../command.ts';
import { listCommand } from './list-command.ts';
import { retryCommand } from './retry-command.ts';
import { showCommand } from './show-command.ts';

/** The commands of one list; `reasons` says what its rows can be filtered by. */
export function recordGroup(
  list: RecordListName,
  reasons: string,
  more: readonly CommandEntry[] = [],
): CommandGroup {
  return {
    commands: [
      {
        name: 'list',
        summary: 'Count the rows by reason, then list them, the oldest first',
        isDefault: true,
        load: async () => listCommand(list, reasons),
      },
      {
        name: 'show',
        summary: 'Show what is known of one row, and what to do next',
        load: async () => showCommand(list),
      },
      {
        name: 'retry',
        summary: 'Derive rows again, and say what became of them',
        load: async () => retryCommand(list),
      },
      ...more,
    ],
  };
}
