import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type pg from 'pg';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import { formatLsn, type Lsn } from '../../core/version.ts';
import { leftOut } from '../../proof/left-out.ts';
import { markdownOf } from '../../proof/markdown.ts';
import { verifyMirror } from '../../proof/mirror/verify-mirror.ts';
import { beginPass, findPass, finishPass, StateKeeper, type Pass } from '../../proof/pass.ts';
import { proveTarget } from '../../proof/prove-target.ts';
import {
  asksForTarget,
  summaryOf,
  verdictOf,
  type Parts,
  type ProofReport,
  type ProofScope,
  type Verdict,
} from '../../proof/report.ts';
import { planRepair } from '../../proof/target/plan-repair.ts';
import { fullParts, isFull, tellComplete } from '../../proof/tell.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command, type Context, type ExitCode } from '../command.ts';
import { Engine } from '../engine.ts';
import { withinMemory } from '../memory-guard.ts';
import { proofLines } from '../proof-lines.ts';
import { repairTarget } from '../repair-target.ts';
import { placeOfSince } from '../since.ts';
import {
  readVerifyOptions,
  sampleOf,
  VERIFY_OPTIONS,
  type VerifyOptions,
} from '../verify-options.ts';
import { chooseScope, type Chosen } from '../verify-scope.ts';
import { tandemVersion } from '../version.ts';

const EXITS: Readonly<Record<Verdict, ExitCode>> = {
  agrees: EXIT.ok,
  differs: EXIT.failure,
  unsettled: EXIT.notYet,
};

/**
 * `tandem verify`: mirror against source, target against mirror, and the account, beside a process
 * that streams or without one.
 */
export const verify: Command = {
  options: VERIFY_OPTIONS,
  details:
    'Without options all of it: mirror against source, target against mirror, and the account. With\n' +
    '--table, --since or --sample the mirror alone.\n' +
    'Exit code 0: agrees. 1: rows differ. 3: something could not be settled, was not verified, or it was stopped.',

  async run(context, flags) {
    const options = readVerifyOptions(flags);
    if (typeof options === 'string') {
      context.notes.line(options);
      return EXIT.usage;
    }
    const signal = context.stopSignal();
    const config = await context.config();
    const { mapping } = await context.mapping();
    const observer = await context.observer();
    const engine = await Engine.open({ config, mapping, observer, clock: systemClock }, 'look');
    const chosen = chooseScope(engine, options);
    if (typeof chosen === 'string') {
      context.notes.line(chosen);
      return EXIT.usage;
    }
    const target = await openClient(config.target, 'verify');
    try {
      const since =
        options.since === null ? null : await placeOfSince(target, config.stream, options.since);
      const work = { options, since, chosen, engine, target, signal };
      return await withinMemory(config.memoryLimitBytes, () => verifyAndTell(context, work));
    } finally {
      await target.end();
    }
  },
};

type Work = {
  readonly options: VerifyOptions;
  /** Only what has changed from this place on; null: all of it. */
  readonly since: Lsn | null;
  readonly chosen: Chosen;
  readonly engine: Engine;
  /** Where the pass is kept. */
  readonly target: pg.Client;
  readonly signal: AbortSignal;
};

async function verifyAndTell(context: Context, work: Work): Promise<ExitCode> {
  const { options, target, signal } = work;
  const pass = await openPass(context, work);
  const keeper = new StateKeeper(target, pass, systemClock);
  let parts: Parts;
  try {
    parts = await prove(context, work, pass, keeper);
    if (signal.aborted) await keeper.flush();
  } catch (error) {
    await keeper.flush().catch(() => undefined);
    context.notes.line('what is done is kept; `tandem verify --resume` goes on from here');
    throw error;
  }
  tellComplete(await context.observer(), parts);
  const report = await reportOf(context, work, pass, parts);
  if (!signal.aborted) {
    const { verdict } = report;
    const summary = { ...summaryOf(report), full: fullParts(parts) };
    await finishPass(target, pass, { verdict, summary, isFull: isFull(report) });
  }
  const lines = options.json ? [JSON.stringify(report)] : proofLines(report);
  for (const line of lines) context.out.line(line);
  if (options.report !== null) writeReport(context, options.report, report);
  if (signal.aborted) {
    context.notes.line('stopped; `tandem verify --resume` with the same options goes on from here');
  }
  return EXITS[report.verdict];
}

async function prove(
  context: Context,
  work: Work,
  pass: Pass,
  keeper: StateKeeper,
): Promise<Parts> {
  const { options, chosen, engine, target, signal } = work;
  const config = await context.config();
  const scope = scopeOf(work, pass.seed);
  const shared = {
    ...{ source: config.source, target: config.target, signal },
    ...{ observer: await context.observer(), clock: systemClock },
  };
  const mirror = await verifyMirror({
    ...shared,
    ...{ stream: config.stream, tables: chosen.tables, sample: scope.sample },
    rangeRows: config.chunkRows,
    pacing: options.pacing,
    since: work.since,
    patienceMs: options.waitMs,
    mayBeat: config.heartbeatSeconds > 0,
    resumeFrom: pass.states,
    absent: chosen.absent,
    keep: (table, state) => keeper.keep(table, state),
    ...(options.repair ? { mender: engine.mender } : {}),
  });
  const repair = options.repair ? [] : null;
  const parts = { scope, mirror, target: null, account: null, repair };
  if (!mirror.isComplete || !asksForTarget(scope)) return parts;
  try {
    await doOpenJobs(work);
    const prove = () =>
      proveTarget({
        ...{ ...shared, model: engine.model, entities: chosen.entities },
        ...{ workers: config.backfillWorkers, settleMs: options.waitMs },
      });
    const proved = await prove();
    if (!options.repair) return { ...parts, ...proved };
    const repairs = await planRepair(target, engine.model, proved.target, mirror);
    if (repairs.every(({ roots }) => roots.length === 0)) {
      return { ...parts, ...proved, repair: repairs };
    }
    const { waitMs } = options;
    await repairTarget({ engine, target, repairs, waitMs, signal });
    return { ...parts, ...(await prove()), repair: repairs };
  } catch (error) {
    if (!signal.aborted) throw error;
    return parts;
  }
}

/** What the repair of the mirror has left behind as jobs, where nobody streams who would do them. */
async function doOpenJobs({ engine, options, target, signal }: Work): Promise<void> {
  if (!options.repair || (await engine.readerPid()) !== null) return;
  const isOver = async () => {
    const [row] = await textRows(
      target,
      `select exists (select from tandem.job left join tandem.entity on entity.name = job.entity
         where coalesce(entity.state, 'active') = 'active' and job.entity = any($1::text[]))`,
      [arrayLiteral(engine.model.mapping.entities.map(({ name }) => name))],
    );
    return signal.aborted || row?.[0] !== 't';
  };
  await engine.runJobs(isOver);
}

async function reportOf(
  context: Context,
  { target }: Work,
  pass: Pass,
  parts: Parts,
): Promise<ProofReport> {
  const { mapping } = await context.mapping();
  const source = await openClient((await context.config()).source, 'verify');
  try {
    return {
      startedAt: new Date(pass.startedAt).toISOString(),
      finishedAt: new Date(systemClock.now()).toISOString(),
      tandem: tandemVersion(),
      mapping: mapping.name,
      sourceServer: await serverOf(source),
      targetServer: await serverOf(target),
      verdict: verdictOf(parts),
      ...parts,
      notVerified: leftOut(parts),
    };
  } finally {
    await source.end();
  }
}

function scopeOf({ chosen, options, since }: Work, seed: number): ProofScope {
  return {
    tables: [...chosen.tables.map(({ name }) => name), ...chosen.absent.keys()],
    entities: chosen.entities,
    since: since === null ? null : formatLsn(since),
    sample: sampleOf(options.share, seed),
  };
}

async function openPass({ notes, config }: Context, work: Work): Promise<Pass> {
  const { options, chosen, target } = work;
  const { stream, chunkRows } = await config();
  const columns = chosen.tables.map((it) => [it.name, it.columns.map(({ name }) => name)]);
  const { entities } = chosen;
  const since = work.since === null ? null : formatLsn(work.since);
  const scope = JSON.stringify({
    ...{ stream, chunkRows, columns, entities, since, share: options.share },
  });
  const before = await findPass(target, scope);
  const isSame = before !== null && (options.seed === null || options.seed === before.seed);
  if (options.resume && before !== null && isSame) {
    notes.line(`going on with what was begun at ${before.startedAt}`);
    return before;
  }
  if (options.resume) notes.line('nothing with these options was stopped; starting anew');
  else if (before !== null && before.states.size > 0) {
    notes.line('one with these options was stopped; --resume would have gone on with it');
  }
  return beginPass(target, scope, options.seed ?? randomInt(1_000_000));
}

async function serverOf(client: pg.Client): Promise<string> {
  const [row] = await textRows(client, `select 'PostgreSQL ' || current_setting('server_version')`);
  return row?.[0] ?? '';
}

/** `--report proof`, `proof.md` and `proof.json` all mean the two files. */
function writeReport({ workFolder, notes }: Context, file: string, report: ProofReport): void {
  const path = resolve(workFolder, file.replace(/\.(md|json)$/, ''));
  writeFileSync(`${path}.md`, markdownOf(report));
  writeFileSync(`${path}.json`, `${JSON.stringify(report, null, 2)}\n`);
  notes.line(`report: ${path}.md, ${path}.json`);
}
