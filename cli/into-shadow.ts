import { PostgresSourceReader } from '../connectors/postgres/barrier.ts';
import { withClient } from '../connectors/postgres/connection.ts';
import { MirrorOverlay } from '../consumers/mirror-overlay.ts';
import type { Model } from '../consumers/model.ts';
import type { Mapping } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import { readUsages } from '../core/usage.ts';
import type { WantedRoots } from '../proof/changes/foresee.ts';
import { Shadow } from '../proof/shadow/shadow.ts';
import { systemClock } from './clock.ts';
import { EXIT, type Context, type ExitCode, type Flags, type Option } from './command.ts';
import type { Engine } from './engine.ts';
import type { LogPart } from './messages/log-part.ts';
import { entitiesByTable } from './messages/readers.ts';
import { foreseeLog } from './messages/reprocess-log.ts';
import { textFlag } from './records/list-command.ts';
import { shadowLines } from './shadow-lines.ts';

export const INTO_SHADOW: Option = {
  flags: '--into-shadow <schema>',
  help: 'derive into copies of the tables in this schema of the target, and show what differs; nothing live is written',
};

/** PostgreSQL cuts longer names. */
const MOST_BYTES = 63;

/** The schema that is asked for; empty: none; null, after saying so: the options are wrong. */
export function shadowOf(context: Context, flags: Flags): string | null {
  const schema = textFlag(flags, 'intoShadow');
  if (schema === null) return '';
  const other = ['dryRun', 'wait', 'timeout'].find((name) => flags[name] !== undefined);
  let problem: string | null = null;
  if (other === 'dryRun') problem = '--into-shadow shows what a dry run does, and more: give one';
  else if (other !== undefined) problem = `--${other} waits for jobs, and --into-shadow makes none`;
  else if (schema === '' || schema.startsWith('pg_') || Buffer.byteLength(schema) > MOST_BYTES) {
    problem = `--into-shadow ${schema} is not a name that a schema may have`;
  }
  if (problem === null) return schema;
  context.notes.line(`error: ${problem}`);
  return null;
}

/** Entities that read the table of a part of the log. */
export function readersOf(mapping: Mapping, { table }: LogPart): readonly string[] {
  const derived = mapping.entities.filter(({ kind }) => kind === 'derived');
  return entitiesByTable({ ...mapping, entities: derived }).get(table) ?? [];
}

/** Whether the mirror has all that these entities read; says so where not. */
export function canDerive(
  context: Context,
  { model, absent }: Engine,
  names: readonly string[],
): boolean {
  const lacking = model.mapping.entities.filter(
    ({ name, kind }) => kind === 'derived' && names.includes(name) && !model.entity.has(name),
  );
  for (const entity of lacking) {
    const { tables } = readUsages({ ...model.mapping, entities: [entity] });
    const [table = '', reason = ''] = [...absent].find(([it]) => tables.has(it)) ?? [];
    context.notes.line(
      `error: the mirror does not have what ${entity.name} reads: ${table}: ${reason}`,
    );
  }
  if (lacking.length === 0) return true;
  context.notes.line('next:  tandem run with this mapping brings what it reads; nothing was done');
  return false;
}

/** Roots in memory at a time, and keys that are named of every kind of change. */
const PAGE_ROWS = 5_000;
const EXAMPLES = 5;

type Asked = {
  readonly schema: string;
  readonly part: LogPart | null;
  /** Where no part of a log is asked for. */
  readonly roots: readonly WantedRoots[];
};

/** `--into-shadow`: derives into a schema beside the live tables, and shows what differs. */
export async function intoShadow(
  context: Context,
  engine: Engine,
  { schema, part, roots }: Asked,
  flags: Flags,
): Promise<ExitCode> {
  const { target, stream } = await context.config();
  const signal = context.stopSignal();
  const facts = { target, stream, observer: await context.observer(), signal };
  const isJson = flags['json'] === true;
  try {
    await using shadow = await Shadow.claim({
      ...facts,
      ...{ schema, pageRows: PAGE_ROWS, examples: EXAMPLES },
    });
    const { filled, lines, log } =
      part === null
        ? { filled: await shadow.fill({ model: engine.model, wanted: roots }), lines: [], log: {} }
        : await fillFromLog(context, engine, part, shadow);
    if (isJson) context.out.line(JSON.stringify({ ...log, schema, ...filled }));
    else for (const line of [...lines, ...shadowLines(schema, filled)]) context.out.line(line);
    return EXIT.ok;
  } catch (error) {
    if (!signal.aborted) throw error;
    context.notes.line(`stopped: the schema ${schema} is as it was before`);
    return EXIT.failure;
  }
}

/** The roots that a part of the log leads to, from a mirror that has what the part makes newer. */
async function fillFromLog(context: Context, engine: Engine, part: LogPart, shadow: Shadow) {
  const { source, target } = await context.config();
  const { model, joinsAt } = engine;
  const table = model.mirror.get(part.table);
  if (table === undefined) throw new TandemError('TABLE_MISSING', { table: part.table });
  const signal = context.stopSignal();
  const rows = new PostgresSourceReader({ database: source, clock: systemClock, signal });
  const isJournaled = model.journalsOf.has(table.name);
  const facts = { table, isJournaled, trustedFrom: joinsAt.get(table.name), reader: rows };
  return await withClient(target, 'shadow', async (reader) => {
    try {
      const overlay = await MirrorOverlay.open(reader, facts);
      const found = await foreseeLog(context, { engine, target: reader }, part, async (events) => {
        signal.throwIfAborted();
        await overlay.add(events);
      });
      const newer = await overlay.count();
      const filled = await shadow.fill({
        // Read through the overlay, a table cannot always be looked up by index.
        model: newer === 0 ? model : overlaid(model, overlay),
        wanted: found.roots,
        reader,
      });
      return {
        filled,
        lines: [...found.lines, ...(newer === 0 ? [] : [newerLine(newer, overlay.unseen)])],
        log: { log: { ...found.facts, newer, unseenByJournals: overlay.unseen } },
      };
    } finally {
      await rows.close();
    }
  });
}

/** The model whose mirror has what the part makes newer. */
function overlaid(model: Model, { table }: MirrorOverlay): Model {
  return { ...model, mirror: new Map([...model.mirror, [table.name, table]]) };
}

function newerLine(rows: number, unseen: number): string {
  const journaled = unseen === 0 ? '' : `; journals have not seen up to ${unseen} updates`;
  return `rows that the mirror has older, or not at all: ${rows}${journaled}`;
}
