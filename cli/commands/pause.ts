import { pauseEntities } from '../../consumers/entity-state.ts';
import { inactiveEntities } from '../../monitoring/entity-states.ts';
import { EXIT, type Command } from '../command.ts';
import { derivedEntities } from '../known-entities.ts';
import { textFlag } from '../records/list-command.ts';
import { withRecords } from '../records/open-records.ts';
import { inactiveText } from '../status-lines.ts';

/** `tandem pause ENTITY…`: they are not derived until `tandem resume`. */
export const pause: Command = {
  arguments: [{ name: '<entities...>', help: 'names of entities' }],
  options: [{ flags: '--reason <text>', help: 'why, for those who look at `tandem status`' }],
  details:
    'No batch that begins after this command has ended derives them; the one in hand is waited for.\n' +
    'Rows of other entities that need new rows of a paused one are held, or null, until it goes on.',

  async run(context, flags, [names]) {
    const wanted = await derivedEntities(
      context,
      typeof names === 'object' ? names : [],
      'it sees a change once, and would lose what comes meanwhile',
    );
    if (wanted === null) return EXIT.usage;
    return await withRecords(context, async (target) => {
      const entities = wanted.map(({ name }) => name);
      const paused = new Set(await pauseEntities(target, entities, textFlag(flags, 'reason')));
      const inactive = await inactiveEntities(target);
      for (const name of entities) {
        const one = inactive.find(({ entity }) => entity === name);
        const how =
          paused.has(name) || one === undefined ? 'paused' : `${inactiveText(one)} already`;
        context.out.line(`${name}: ${how}`);
      }
      return EXIT.ok;
    });
  },
};
