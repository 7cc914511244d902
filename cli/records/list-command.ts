import { listDeadLetters, type DeadLetterList } from '../../monitoring/dead-letter-list.ts';
import { readRecords, type RecordList, type RecordListName } from '../../monitoring/record-list.ts';
import { EXIT, type Command, type Context, type Flags, type Option } from '../command.ts';
import { messageLines } from '../messages/message-lines.ts';
import { entitiesByTable } from '../messages/readers.ts';
import { parseDuration } from '../units.ts';
import { knownEntity } from './known-entity.ts';
import { listLines } from './list-lines.ts';
import { STANDING } from './list-words.ts';
import { withRecords } from './open-records.ts';

const DEFAULT_LIMIT = 50;
const ACCEPTED: Option = {
  flags: '--accepted',
  help: 'those that were accepted: by whom, when and why',
};

const TOPIC: Option = { flags: '--topic <topic>', help: 'messages of this topic only' };
const KIND: Option = {
  flags: '--kind <kind>',
  help: 'rows that were refused, or messages that nobody could read (default: both)',
};

/** `tandem <list> list`: counts by reason, then the rows, the oldest first. */
export function listCommand(list: RecordListName, reasons: string): Command {
  return {
    options: [
      { flags: '--entity <entity>', help: 'of this entity only' },
      { flags: '--reason <name>', help: `of this reason only: ${reasons}` },
      { flags: '--since <time>', help: 'first seen since then: 24h, 30m, or 2026-01-31T08:00Z' },
      { flags: '--limit <rows>', help: `as many rows at most (default ${DEFAULT_LIMIT})` },
      ...(list === 'quarantine' ? [ACCEPTED, TOPIC, KIND] : []),
      { flags: '--json', help: 'print JSON' },
    ],
    details: 'Names, keys and times only; no values of rows.',

    async run(context, flags) {
      const limit = textFlag(flags, 'limit') ?? String(DEFAULT_LIMIT);
      if (!/^[1-9]\d{0,8}$/.test(limit)) {
        context.notes.line(`error: --limit ${limit} is not a number of rows, for example 100`);
        return EXIT.usage;
      }
      const given = textFlag(flags, 'since');
      const since = given === null ? null : parseSince(given, Date.now());
      if (given !== null && since === null) {
        context.notes.line(
          `error: --since ${given} is neither a duration nor a time, for example 24h or 2026-01-31`,
        );
        return EXIT.usage;
      }
      const entity = textFlag(flags, 'entity');
      if (entity !== null && (await knownEntity(context, entity)) === null) return EXIT.usage;
      const topic = textFlag(flags, 'topic');
      const kind = textFlag(flags, 'kind') ?? (topic === null ? null : 'messages');
      if (kind !== null && kind !== 'rows' && kind !== 'messages') {
        context.notes.line(`error: --kind ${kind} is neither rows nor messages`);
        return EXIT.usage;
      }
      const name = flags['accepted'] === true ? 'accepted' : list;
      return await withRecords(context, async (target) => {
        const filter = { reason: textFlag(flags, 'reason'), since, limit: Number(limit) };
        const found =
          kind === 'messages' ? null : await readRecords(target, name, { ...filter, entity });
        const letters =
          list !== 'quarantine' || kind === 'rows'
            ? null
            : await listDeadLetters(target, {
                ...{ ...filter, topic, accepted: name === 'accepted' },
                tables: entity === null ? null : await tablesOfEntity(context, entity),
              });
        if (flags['json'] === true) {
          const messages = letters === null ? {} : { messages: letters };
          context.out.line(JSON.stringify({ list: name, ...found, ...messages }));
          return EXIT.ok;
        }
        for (const line of bothLines(name, found, letters)) context.out.line(line);
        return EXIT.ok;
      });
    },
  };
}

async function tablesOfEntity(context: Context, entity: string): Promise<readonly string[]> {
  const { mapping } = await context.mapping();
  const readers = [...entitiesByTable(mapping)];
  return readers.filter(([, entities]) => entities.includes(entity)).map(([table]) => table);
}

/** Rows and, where there are any, messages. */
function bothLines(
  name: RecordListName,
  found: RecordList | null,
  letters: DeadLetterList | null,
): string[] {
  const messages = letters === null ? [] : messageLines(letters);
  if (found === null) return messages.length === 0 ? [`no message ${STANDING[name]}`] : messages;
  if (messages.length === 0) return listLines(name, found);
  return found.total === 0 ? messages : [...listLines(name, found), '', ...messages];
}

/** The text of an option with a value; null where it was not given. */
export const textFlag = (flags: Flags, name: string): string | null => {
  const value = flags[name];
  return typeof value === 'string' ? value : null;
};

/** A duration before `nowMs`, or a time; null where the text is neither. */
export function parseSince(text: string, nowMs: number): string | null {
  const ms = parseDuration(text);
  if (ms !== null) return new Date(nowMs - ms).toISOString();
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}
