import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type pg from 'pg';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import type { Model } from '../../consumers/model.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { formatLsn } from '../../core/version.ts';
import { markdownOf } from '../../proof/markdown.ts';
import { beginPass, findPass, finishPass, StateKeeper, type Pass } from '../../proof/pass.ts';
import {
  mirrorVerdict,
  summaryOf,
  type ProofReport,
  type ProofScope,
  type Verdict,
} from '../../proof/report.ts';
import { verifyMirror } from '../../proof/mirror/verify-mirror.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command, type Context, type ExitCode } from '../command.ts';
import { Engine } from '../engine.ts';
import { proofLines } from '../proof-lines.ts';
import { didYouMean } from '../similar.ts';
import {
  readVerifyOptions,
  sampleOf,
  VERIFY_OPTIONS,
  type VerifyOptions,
} from '../verify-options.ts';
import { tandemVersion } from '../version.ts';

const EXITS: Readonly<Record<Verdict, ExitCode>> = {
  agrees: EXIT.ok,
  differs: EXIT.failure,
  unsettled: EXIT.notYet,
};

/** `tandem verify`: mirror against source, beside a process that streams or without one. */
export const verify: Command = {
  options: VERIFY_OPTIONS,
  details:
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
    const engine = await Engine.open({ config, mapping, observer, clock: systemClock });
    const tables = chooseTables(engine.model, options);
    if (typeof tables === 'string') {
      context.notes.line(tables);
      return EXIT.usage;
    }
    const target = await openClient(config.target, 'verify');
    try {
      return await verifyAndTell(context, { options, tables, target, signal });
    } finally {
      await target.end();
    }
  },
};

type Work = {
  readonly options: VerifyOptions;
  readonly tables: readonly MirrorTable[];
  /** Where the pass is kept. */
  readonly target: pg.Client;
  readonly signal: AbortSignal;
};

async function verifyAndTell(context: Context, work: Work): Promise<ExitCode> {
  const { options, target, signal } = work;
  const pass = await openPass(context, work);
  const keeper = new StateKeeper(target, pass, systemClock);
  let report: ProofReport;
  try {
    report = await prove(context, work, pass, keeper);
    if (!report.mirror.isComplete) await keeper.flush();
  } catch (error) {
    await keeper.flush().catch(() => undefined);
    context.notes.line('what is done is kept; `tandem verify --resume` goes on from here');
    throw error;
  }
  const { mirror, verdict } = report;
  if (mirror.isComplete) await finishPass(target, pass, verdict, summaryOf(report));
  const lines = options.json ? [JSON.stringify(report)] : proofLines(report);
  for (const line of lines) context.out.line(line);
  if (options.report !== null) writeReport(context, options.report, report);
  if (signal.aborted) {
    context.notes.line('stopped; `tandem verify --resume` with the same options goes on from here');
  }
  return EXITS[verdict];
}

async function prove(
  context: Context,
  work: Work,
  pass: Pass,
  keeper: StateKeeper,
): Promise<ProofReport> {
  const { options, tables, target, signal } = work;
  const config = await context.config();
  const sample = sampleOf(options.share, pass.seed);
  const mirror = await verifyMirror({
    ...{ source: config.source, target: config.target, stream: config.stream, tables, sample },
    rangeRows: config.chunkRows,
    pacing: options.pacing,
    since: options.since,
    patienceMs: options.waitMs,
    mayBeat: config.heartbeatSeconds > 0,
    resumeFrom: pass.states,
    keep: (table, state) => keeper.keep(table, state),
    observer: await context.observer(),
    clock: systemClock,
    signal,
  });
  const source = await openClient(config.source, 'verify');
  try {
    return {
      startedAt: new Date(pass.startedAt).toISOString(),
      finishedAt: new Date(systemClock.now()).toISOString(),
      tandem: tandemVersion(),
      sourceServer: await serverOf(source),
      targetServer: await serverOf(target),
      scope: scopeOf(work, pass.seed),
      verdict: mirrorVerdict(mirror),
      mirror,
    };
  } finally {
    await source.end();
  }
}

/** All tables of the mapping where none are named; or what is wrong with the names. */
function chooseTables(
  model: Model,
  { tables, entities }: VerifyOptions,
): readonly MirrorTable[] | string {
  const known = model.mapping.entities.map(({ name }) => name);
  for (const name of entities) if (!known.includes(name)) return unknown('entity', name, known);
  for (const name of tables) {
    if (!model.mirror.has(name)) return unknown('table', name, [...model.mirror.keys()]);
  }
  if (tables.length + entities.length === 0) return [...model.mirror.values()];
  const read = model.usages.filter(({ entity }) => entities.includes(entity));
  const wanted = new Set([...tables, ...read.map(({ table }) => table)]);
  for (const entity of model.journals) {
    if (entities.includes(entity.name)) wanted.add(entity.shape.table.name);
  }
  return [...model.mirror.values()].filter(({ name }) => wanted.has(name));
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const near = didYouMean(name, known);
  return `no ${what} of the mapping is named ${name}${near === null ? '' : `; did you mean ${near}?`}`;
}

function scopeOf({ tables, options }: Work, seed: number): ProofScope {
  return {
    tables: tables.map(({ name }) => name),
    since: options.since === null ? null : formatLsn(options.since),
    sample: sampleOf(options.share, seed),
  };
}

async function openPass({ notes, config }: Context, work: Work): Promise<Pass> {
  const { options, tables, target } = work;
  const { stream, chunkRows } = await config();
  const columns = tables.map((it) => [it.name, it.columns.map(({ name }) => name)]);
  const since = options.since === null ? null : formatLsn(options.since);
  const scope = JSON.stringify({ stream, chunkRows, columns, since, share: options.share });
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
