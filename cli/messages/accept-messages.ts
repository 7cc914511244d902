import type pg from 'pg';
import { acceptDeadLetters } from '../../consumers/dead-letters.ts';
import { EXIT, type Context, type ExitCode } from '../command.ts';
import { formatCount } from '../units.ts';
import { givenLetters, placeOf } from './given-places.ts';

/** `tandem quarantine accept TOPIC PARTITION/OFFSET… --reason`: does without these messages. */
export async function acceptMessages(
  context: Context,
  target: pg.ClientBase,
  decision: {
    readonly topic: string;
    readonly places: readonly string[];
    readonly reason: string;
  },
): Promise<ExitCode> {
  const { topic, places, reason } = decision;
  const letters = await givenLetters(context, target, topic, places);
  if (letters === null) return EXIT.failure;
  const count = await acceptDeadLetters(target, letters.map(placeOf), reason);
  context.out.line(
    `accepted ${formatCount(count)} messages of ${topic}; see: tandem quarantine list --accepted`,
  );
  return EXIT.ok;
}
