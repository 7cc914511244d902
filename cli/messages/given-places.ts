import type pg from 'pg';
import type { MessagePlace } from '../../consumers/dead-letters.ts';
import {
  deadLetterTopics,
  findDeadLetter,
  listDeadLetters,
  type DeadLetterRow,
} from '../../monitoring/dead-letter-list.ts';
import type { Context } from '../command.ts';

/** Whether a name on the command line is a topic of dead letters: an entity of that name comes first. */
export async function isTopicOfLetters(
  context: Context,
  target: pg.ClientBase,
  name: string,
): Promise<boolean> {
  const { mapping } = await context.mapping();
  if (mapping.entities.some((entity) => entity.name === name)) return false;
  return (await deadLetterTopics(target)).includes(name);
}

/** Messages of a topic, as they are named: `partition/offset`. Null, after saying so: one is not there. */
export async function givenLetters(
  context: Context,
  target: pg.ClientBase,
  topic: string,
  places: readonly string[],
): Promise<readonly DeadLetterRow[] | null> {
  const found: DeadLetterRow[] = [];
  for (const place of new Set(places)) {
    const row = await findDeadLetter(target, topic, place);
    if (row === null) {
      context.notes.line(`error: not in quarantine: ${topic} ${place}; nothing was done`);
      context.notes.line(`next:  tandem quarantine list --topic ${topic}`);
      return null;
    }
    found.push(row);
  }
  return found;
}

/** Every open message, or those of one topic. */
export async function openLetters(
  target: pg.ClientBase,
  topic: string | null,
): Promise<readonly DeadLetterRow[]> {
  const every = { tables: null, reason: null, since: null, accepted: false };
  const { rows } = await listDeadLetters(target, { ...every, topic, limit: 1_000_000 });
  return rows;
}

export function placeOf({ topic, place }: Pick<DeadLetterRow, 'topic' | 'place'>): MessagePlace {
  const [partition = '0', offset = '0'] = place.split('/');
  return { topic, partition: Number(partition), offset: BigInt(offset) };
}
