import type pg from 'pg';
import { systemClock } from '../clock.ts';
import { EXIT, type Context, type ExitCode } from '../command.ts';
import { Engine } from '../engine.ts';
import { withRecords } from '../records/open-records.ts';
import type { DeadLetterRow } from '../../monitoring/dead-letter-list.ts';
import { givenLetters, isTopicOfLetters, openLetters } from './given-places.ts';
import { messageFateLines, retryMessages } from './retry-messages.ts';

type Asked = {
  /** Null: every open message. */
  readonly topic: string | null;
  readonly places: readonly string[];
  readonly json: boolean;
};

/** The part of `tandem quarantine retry` that is about messages; null: nothing of it is. */
export async function retryLetters(context: Context, asked: Asked): Promise<ExitCode | null> {
  return await withRecords(context, async (target) => {
    const letters = await wanted(context, target, asked);
    if (letters === 'not there') return EXIT.failure;
    if (letters === null || letters.length === 0) return null;
    const config = await context.config();
    const { mapping } = await context.mapping();
    const observer = await context.observer();
    const engine = await Engine.open({ config, mapping, observer, clock: systemClock });
    const { fates, code } = await retryMessages(context, { target, engine }, letters);
    if (asked.json) context.out.line(JSON.stringify({ list: 'quarantine', messages: fates }));
    else for (const line of messageFateLines(fates)) context.out.line(line);
    return code;
  });
}

async function wanted(
  context: Context,
  target: pg.ClientBase,
  { topic, places }: Asked,
): Promise<readonly DeadLetterRow[] | 'not there' | null> {
  if (topic === null) return await openLetters(target, null);
  if (!(await isTopicOfLetters(context, target, topic))) return null;
  if (places.length === 0) return await openLetters(target, topic);
  return (await givenLetters(context, target, topic, places)) ?? 'not there';
}
