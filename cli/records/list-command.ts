import { readRecords, type RecordListName } from '../../monitoring/record-list.ts';
import { EXIT, type Command, type Flags, type Option } from '../command.ts';
import { parseDuration } from '../units.ts';
import { knownEntity } from './known-entity.ts';
import { listLines } from './list-lines.ts';
import { withRecords } from './open-records.ts';

const DEFAULT_LIMIT = 50;
const ACCEPTED: Option = {
  flags: '--accepted',
  help: 'those that were accepted: by whom, when and why',
};

/** `tandem <list> list`: counts by reason, then the rows, the oldest first. */
export function listCommand(list: RecordListName, reasons: string): Command {
  return {
    options: [
      { flags: '--entity <entity>', help: 'of this entity only' },
      { flags: '--reason <name>', help: `of this reason only: ${reasons}` },
      { flags: '--since <time>', help: 'first seen since then: 24h, 30m, or 2026-01-31T08:00Z' },
      { flags: '--limit <rows>', help: `as many rows at most (default ${DEFAULT_LIMIT})` },
      ...(list === 'quarantine' ? [ACCEPTED] : []),
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
      const name = flags['accepted'] === true ? 'accepted' : list;
      return await withRecords(context, async (target) => {
        const filter = { entity, reason: textFlag(flags, 'reason'), since, limit: Number(limit) };
        const found = await readRecords(target, name, filter);
        if (flags['json'] === true) context.out.line(JSON.stringify({ list: name, ...found }));
        else for (const line of listLines(name, found)) context.out.line(line);
        return EXIT.ok;
      });
    },
  };
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
