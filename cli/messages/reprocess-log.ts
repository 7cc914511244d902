import type pg from 'pg';
import { readRange, type OffsetRange } from '../../connectors/kafka/read-range.ts';
import { inTransaction } from '../../connectors/postgres/transaction.ts';
import { Affected } from '../../consumers/affected.ts';
import { addJobsFor, Touched, type Way } from '../../consumers/touched.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { RawMessage } from '../../core/log-message.ts';
import type { WantedRoots } from '../../proof/changes/foresee.ts';
import { EXIT, type Context, type ExitCode } from '../command.ts';
import type { Engine } from '../engine.ts';
import { finishJobs } from '../finish-jobs.ts';
import { reportJobs, type Wait } from '../job-report.ts';
import { formatCount } from '../units.ts';
import { rangesOf, type LogPart } from './log-part.ts';
import { openLogReading, type LogReading } from './log-reading.ts';

/** Values in memory until their jobs are recorded, and roots of an entity that a dry run names. */
const VALUES_KEPT = 10_000;
const ROOTS_KEPT = 100_000;

type Tools = { readonly engine: Engine; readonly target: pg.Client };
type Read = { messages: number; changes: number; unreadable: number; truncates: number };

/** Reads a part of the log again, applies it where the mirror has nothing newer, derives what it touches. */
export async function reprocessLog(
  context: Context,
  { engine, target }: Tools,
  part: LogPart,
  wait: Wait,
): Promise<ExitCode> {
  const { reading, ranges } = await begin(context, engine, part);
  const touched = new Touched(engine.model);
  const jobs: string[] = [];
  const entities = new Set<string>();
  const flush = async () => {
    const ways = touched.take();
    for (const { entity } of ways) entities.add(entity);
    const reason = `messages of ${part.topic} were read again`;
    jobs.push(...(await inTransaction(target, () => addJobsFor(target, ways, reason))));
  };
  const { reread } = reading;
  const read = await engine.beside((applier) =>
    readPart(reading, part.topic, ranges, async (events) => {
      // Beside, so that old values are there and new ones too.
      await touched.note(target, events);
      await applier.applyLate({ events, reread, beside: () => Promise.resolve() });
      await touched.note(target, events);
      if (touched.size > VALUES_KEPT) await flush();
    }),
  );
  await flush();
  for (const line of readLines(part, read)) context.out.line(line);
  if (jobs.length === 0) return EXIT.ok;
  const fate = await finishJobs(context, { engine, target }, { jobs, ...wait });
  const named = engine.model.entities.map(({ name }) => name).filter((name) => entities.has(name));
  return reportJobs(context, target, { fate, timeoutMs: wait.timeoutMs, entities: named });
}

/**
 * What the part would concern: the roots that it leads to; where they are too many, all. Writes nothing.
 *
 * @param take is given the changes as they are read
 */
export async function foreseeLog(
  context: Context,
  { engine, target }: Tools,
  part: LogPart,
  take?: (events: readonly ChangeEvent[]) => Promise<void>,
): Promise<{
  readonly lines: readonly string[];
  readonly roots: readonly WantedRoots[];
  readonly facts: object;
}> {
  const { reading, ranges } = await begin(context, engine, part);
  const touched = new Touched(engine.model);
  const affected = new Affected(engine.model, ROOTS_KEPT);
  const roots = new Map<string, Set<string> | null>();
  const climb = async ({ entity, usage, values }: Way) => {
    const known = roots.get(entity) === undefined ? new Set<string>() : roots.get(entity);
    if (known === null || known === undefined) return;
    const keys =
      usage === null ? values : await affected.climb(target, usage, values, null, ROOTS_KEPT + 1);
    for (const key of keys) known.add(key);
    roots.set(entity, known.size > ROOTS_KEPT ? null : known);
  };
  const read = await readPart(reading, part.topic, ranges, async (events) => {
    await take?.(events);
    await touched.note(target, events);
    if (touched.size <= VALUES_KEPT) return;
    for (const way of touched.take()) await climb(way);
  });
  for (const way of touched.take()) await climb(way);
  const found: readonly WantedRoots[] = engine.model.entities
    .filter(({ name }) => roots.has(name))
    .map(({ name }) => {
      const keys = roots.get(name);
      return { entity: name, keys: keys == null ? null : [...keys] };
    });
  return { lines: readLines(part, read), roots: found, facts: { topic: part.topic, ...read } };
}

async function begin(context: Context, engine: Engine, part: LogPart) {
  const reading = openLogReading(await context.config(), engine, await context.observer());
  return { reading, ranges: await rangesOf(reading.kafka, part) };
}

async function readPart(
  { kafka, decoder }: LogReading,
  topic: string,
  ranges: ReadonlyMap<number, OffsetRange>,
  visit: (events: readonly ChangeEvent[]) => Promise<void>,
): Promise<Read> {
  const read: Read = { messages: 0, changes: 0, unreadable: 0, truncates: 0 };
  await readRange(kafka, topic, ranges, async (messages: readonly RawMessage[]) => {
    await decoder.prepare(messages);
    const events: ChangeEvent[] = [];
    for (const message of messages) {
      const decoded = decoder.decode(message);
      if (decoded.kind === 'unreadable') read.unreadable++;
      else if (decoded.kind === 'change' && decoded.event.kind === 'truncate') read.truncates++;
      else if (decoded.kind === 'change') events.push(decoded.event);
    }
    read.messages += messages.length;
    read.changes += events.length;
    if (events.length > 0) await visit(events);
  });
  return read;
}

function readLines({ topic }: LogPart, read: Read): string[] {
  const { messages, changes, unreadable, truncates } = read;
  const lines = [`${topic}: ${formatCount(messages)} messages, ${formatCount(changes)} changes`];
  if (unreadable > 0)
    lines.push(`${formatCount(unreadable)} cannot be read; see: tandem quarantine`);
  if (truncates > 0) lines.push(`${formatCount(truncates)} truncates were passed over`);
  return lines;
}
