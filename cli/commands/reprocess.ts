import type pg from 'pg';
import { addJobs } from '../../consumers/jobs.ts';
import { selectRoots, type Selection } from '../../consumers/select-roots.ts';
import { inactiveEntities } from '../../monitoring/entity-states.ts';
import { foreseeChanges, type WantedRoots } from '../../proof/changes/foresee.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command, type Context, type ExitCode, type Flags } from '../command.ts';
import { Engine } from '../engine.ts';
import { foreseenLines } from '../foreseen-lines.ts';
import { finishJobs } from '../finish-jobs.ts';
import { canDerive, INTO_SHADOW, intoShadow, readersOf, shadowOf } from '../into-shadow.ts';
import { reportJobs, WAIT_OPTIONS, waitOf, type Wait } from '../job-report.ts';
import { LOG_PART_OPTIONS, logPartOf, type LogPart } from '../messages/log-part.ts';
import { foreseeLog, reprocessLog } from '../messages/reprocess-log.ts';
import { withRecords } from '../records/open-records.ts';
import { meantBy, SELECTION_OPTIONS, type Meant } from '../reprocess-options.ts';
import { sameMapping } from '../same-mapping.ts';
import { placeOfSince } from '../since.ts';
import { inactiveText } from '../status-lines.ts';
import { formatCount } from '../units.ts';

/** `tandem reprocess`: derives roots again from the mirror; the source is not asked. */
export const reprocess: Command = {
  options: [
    ...SELECTION_OPTIONS,
    ...LOG_PART_OPTIONS,
    { flags: '--dry-run', help: 'show what it would change, by table and column; writes nothing' },
    { flags: '--json', help: 'print the dry run as JSON' },
    INTO_SHADOW,
    ...WAIT_OPTIONS,
  ],
  details:
    'A process that streams does it beside the stream; where there is none it is done here. Rows that\n' +
    'come out as they are already are not written. --since does not find a root that only lost a row.',

  async run(context, flags) {
    const wait = waitOf(context, flags);
    if (wait === null) return EXIT.usage;
    const schema = shadowOf(context, flags);
    if (schema === null) return EXIT.usage;
    const config = await context.config();
    const { mapping } = await context.mapping();
    const part = logPartOf(flags, mapping, config.kafka?.topics.prefix ?? null);
    if (typeof part === 'string') {
      context.notes.line(`error: ${part}`);
      return EXIT.usage;
    }
    const meant = part === null ? await meantBy(context, flags) : null;
    if (part === null && meant === null) return EXIT.usage;
    const observer = await context.observer();
    return await withRecords(context, async (target) => {
      const engine = await Engine.open({ config, mapping, observer, clock: systemClock });
      const { tables, entities } = await engine.remaining();
      // What was never derived is nothing yet, and a shadow shows what it would be.
      if (tables.length + (schema === '' ? entities.length : 0) > 0) {
        context.notes.line('error: the backfill is not complete; nothing was done');
        context.notes.line('next:  tandem run, or tandem backfill');
        return EXIT.failure;
      }
      if (schema !== '') {
        const names = part === null ? (meant?.entities ?? []) : readersOf(mapping, part);
        if (!canDerive(context, engine, names)) return EXIT.failure;
        const roots = meant === null ? [] : await wantedRoots(context, engine, target, meant);
        if (roots === null) return EXIT.failure;
        return await intoShadow(context, engine, { schema, part, roots }, flags);
      }
      if (part !== null) return await ofLog(context, { engine, target }, part, { flags, wait });
      if (meant === null) return EXIT.usage;
      const wanted = await wantedRoots(context, engine, target, meant);
      if (wanted === null) return EXIT.failure;
      if (flags['dryRun'] === true) return await dryRun(context, engine, wanted, flags);
      if (!(await isActive(context, target, wanted))) return EXIT.failure;
      const names = wanted.map(({ entity }) => entity);
      if (!(await sameMapping(context, engine, target, names))) return EXIT.failure;
      for (const { entity, keys } of wanted) {
        if (keys !== null) context.out.line(`${entity}: ${formatCount(keys.length)} roots`);
      }
      const some = wanted.filter(({ keys }) => keys === null || keys.length > 0);
      if (some.length === 0) return EXIT.ok;
      const jobs = await addJobs(target, some, 'asked for');
      const fate = await finishJobs(context, { engine, target }, { jobs, ...wait });
      return reportJobs(context, target, {
        fate,
        timeoutMs: wait.timeoutMs,
        entities: some.map(({ entity }) => entity),
      });
    });
  },
};

/** Keys that are named of every kind of change, and roots in memory at a time. */
const EXAMPLES = 5;
const PAGE_ROWS = 5_000;

/** A part of the log, read again. Whatever of its mapping is running elsewhere is what derives. */
async function ofLog(
  context: Context,
  tools: { readonly engine: Engine; readonly target: pg.Client },
  part: LogPart,
  { flags, wait }: { readonly flags: Flags; readonly wait: Wait },
): Promise<ExitCode> {
  const { engine, target } = tools;
  if (flags['dryRun'] === true) {
    const { lines, roots, facts } = await foreseeLog(context, tools, part);
    if (flags['json'] !== true) for (const line of lines) context.out.line(line);
    return await dryRun(context, engine, roots, flags, { log: facts });
  }
  const names = engine.model.entities.map(({ name }) => name);
  if (!(await sameMapping(context, engine, target, names))) return EXIT.failure;
  return await reprocessLog(context, tools, part, wait);
}

async function dryRun(
  context: Context,
  { model }: Engine,
  wanted: readonly WantedRoots[],
  flags: Flags,
  more: object = {},
): Promise<ExitCode> {
  const { target } = await context.config();
  const found = await foreseeChanges({
    ...{ target, model, wanted, pageRows: PAGE_ROWS, examples: EXAMPLES },
    observer: await context.observer(),
    signal: context.stopSignal(),
  });
  if (flags['json'] === true) context.out.line(JSON.stringify({ ...more, entities: found }));
  else for (const line of foreseenLines(found)) context.out.line(line);
  return EXIT.ok;
}

/** Parents first: then their children find them. Null, after saying so, where a key is not there. */
async function wantedRoots(
  context: Context,
  { model }: Engine,
  target: pg.Client,
  { entities, selection: asked }: Meant,
): Promise<WantedRoots[] | null> {
  const { stream } = await context.config();
  const selection: Selection =
    asked.kind === 'since'
      ? { kind: 'since', lsn: await placeOfSince(target, stream, asked.since) }
      : asked;
  const wanted: WantedRoots[] = [];
  for (const entity of model.entities.filter(({ name }) => entities.includes(name))) {
    const keys = await selectRoots(target, model, entity, selection);
    wanted.push({ entity: entity.name, keys });
    if (selection.kind !== 'keys') continue;
    const absent = selection.keys.filter((key) => keys?.includes(key) !== true);
    if (absent.length === 0) continue;
    context.notes.line(`error: not in the mirror of ${entity.name}: ${absent.join(', ')}`);
    return null;
  }
  return wanted;
}

/** Nobody derives one that is paused or stopped. */
async function isActive(
  context: Context,
  target: pg.Client,
  wanted: readonly WantedRoots[],
): Promise<boolean> {
  for (const one of await inactiveEntities(target)) {
    if (!wanted.some(({ entity }) => entity === one.entity)) continue;
    context.notes.line(`error: ${one.entity} is ${inactiveText(one)}; nothing was done`);
    context.notes.line(`next:  tandem resume ${one.entity} derives all of it`);
    return false;
  }
  return true;
}
