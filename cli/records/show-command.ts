import { mirrorValues, readRoot } from '../../monitoring/root-record.ts';
import type { RecordListName } from '../../monitoring/record-list.ts';
import { aligned } from '../aligned.ts';
import { EXIT, type Command } from '../command.ts';
import { knownEntity } from './known-entity.ts';
import { showMessage } from '../messages/show-message.ts';
import { STANDING } from './list-words.ts';
import { withRecords } from './open-records.ts';
import { elsewhere, showLines, standsOn } from './show-lines.ts';

/** `tandem <list> show ENTITY KEY`: what is known of one root, and what to do next. */
export function showCommand(list: RecordListName): Command {
  return {
    arguments: [
      {
        name: '<entity>',
        help: `the name of the entity${list === 'quarantine' ? ', or a topic' : ''}`,
      },
      {
        name: '<key>',
        help: `the root's key${list === 'quarantine' ? ', or partition/offset' : ''}, as the list prints it`,
      },
    ],
    options: [
      { flags: '--show-values', help: 'the values of its row too, as the mirror has them' },
      { flags: '--json', help: 'print JSON' },
    ],
    details: 'Columns that the mapping declares as secret are not in the mirror.',

    async run(context, flags, [name, key]) {
      const shown = list === 'quarantine' ? await showMessage(context, flags, name, key) : null;
      if (shown !== null) return shown;
      const entity = await knownEntity(context, String(name));
      if (entity === null) return EXIT.usage;
      return await withRecords(context, async (target) => {
        const root = await readRoot(target, entity, String(key));
        const lists = standsOn(root);
        const isThere =
          lists.includes(list) || (list === 'quarantine' && lists.includes('accepted'));
        if (!isThere) {
          const found = `${entity.name} ${root.key} is not ${STANDING[list]}: ${elsewhere(root)}`;
          context.notes.line(`error: ${found}`);
          return EXIT.failure;
        }
        const withValues = flags['showValues'] === true;
        const values =
          withValues && entity.kind === 'derived'
            ? await mirrorValues(target, entity, root.key)
            : null;
        if (withValues)
          context.notes.line('warning: values of a row follow; they may be personal data');
        if (flags['json'] === true) {
          const shown = values === null ? {} : { values: Object.fromEntries(values) };
          context.out.line(JSON.stringify({ ...root, ...shown }));
          return EXIT.ok;
        }
        for (const line of showLines(root)) context.out.line(line);
        if (!withValues) return EXIT.ok;
        if (values === null) context.out.line('the mirror has no values of it');
        else {
          const rows = [...values].map(([column, value]) => [`  ${column}`, value ?? '(null)']);
          for (const line of ['values', ...aligned(rows)]) context.out.line(line);
        }
        return EXIT.ok;
      });
    },
  };
}
