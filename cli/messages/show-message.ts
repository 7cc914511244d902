import { EXIT, type Arguments, type Context, type ExitCode, type Flags } from '../command.ts';
import { withRecords } from '../records/open-records.ts';
import { givenLetters, isTopicOfLetters } from './given-places.ts';
import { messageDetails } from './message-lines.ts';
import { entitiesByTable } from './readers.ts';

/** `tandem quarantine show TOPIC PARTITION/OFFSET`; null: that is no topic of dead letters. */
export async function showMessage(
  context: Context,
  flags: Flags,
  topic: Arguments[number],
  place: Arguments[number],
): Promise<ExitCode | null> {
  if (typeof topic !== 'string' || typeof place !== 'string') return null;
  return await withRecords(context, async (target) => {
    if (!(await isTopicOfLetters(context, target, topic))) return null;
    const [row] = (await givenLetters(context, target, topic, [place])) ?? [];
    if (row === undefined) return EXIT.failure;
    const { mapping } = await context.mapping();
    const entities = entitiesByTable(mapping).get(row.table ?? '') ?? [];
    if (flags['json'] === true) context.out.line(JSON.stringify({ ...row, entities }));
    else for (const line of messageDetails(row, entities)) context.out.line(line);
    return EXIT.ok;
  });
}
