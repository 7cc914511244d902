import type pg from 'pg';
import { originName, readDeadLetters } from '../../connectors/kafka/dead-letters.ts';
import { deadLetterTopic } from '../../core/topic-name.ts';
import type { DeadLetterRow } from '../../monitoring/dead-letter-list.ts';
import { EXIT, type Context, type ExitCode } from '../command.ts';
import type { Engine } from '../engine.ts';
import { formatCount } from '../units.ts';
import { applyMessages, type MessageFates } from './apply-messages.ts';
import { placeOf } from './given-places.ts';
import { openLogReading } from './log-reading.ts';

/** Messages in memory at a time; each pass reads the topic of dead letters once. */
const PORTION = 500;

/** Tries dead letters again, and says what became of them. */
export async function retryMessages(
  context: Context,
  tools: { readonly target: pg.ClientBase; readonly engine: Engine },
  letters: readonly DeadLetterRow[],
): Promise<{ readonly fates: MessageFates; readonly code: ExitCode }> {
  const { target, engine } = tools;
  const reading = openLogReading(await context.config(), engine, await context.observer());
  const box = deadLetterTopic(reading.config.topics.prefix);
  const { model } = engine;
  const mine = letters.filter(({ table }) => table === null || model.mirror.has(table));
  const fates = { applied: 0, unreadable: 0, gone: 0, leftAlone: letters.length - mine.length };
  await engine.beside(async (applier) => {
    for (let i = 0; i < mine.length; i += PORTION) {
      const portion = mine.slice(i, i + PORTION);
      const kept = await readDeadLetters(reading.kafka, box, portion.map(placeOf));
      const there = portion.flatMap((row) => {
        const raw = kept.get(originName(placeOf(row)));
        return raw === undefined ? [] : [{ raw, table: row.table }];
      });
      fates.gone += portion.length - there.length;
      const done = await applyMessages({ reading, applier, client: target }, there);
      fates.applied += done.applied;
      fates.unreadable += done.unreadable;
    }
  });
  const isDone = fates.applied === letters.length;
  return { fates, code: isDone ? EXIT.ok : EXIT.failure };
}

export function messageFateLines(fates: MessageFates): string[] {
  const { applied, unreadable, gone, leftAlone } = fates;
  const lines = [`messages: ${formatCount(applied)} applied`];
  if (unreadable > 0) {
    lines.push(
      `messages: ${formatCount(unreadable)} cannot be read now either; see: tandem quarantine show`,
    );
  }
  if (gone > 0) {
    lines.push(
      `messages: ${formatCount(gone)} are not in the topic of dead letters any more; tandem verify --repair puts their rows right`,
    );
  }
  if (leftAlone > 0) {
    lines.push(
      `messages: ${formatCount(leftAlone)} left alone: their table is not taken at present`,
    );
  }
  return lines;
}
