import type pg from 'pg';
import { openClient } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { Observer } from '../core/ports.ts';
import type { AccountProof } from '../proof/account/account-proof.ts';
import { Pace } from '../proof/mirror/pace.ts';
import { verifyMirror } from '../proof/mirror/verify-mirror.ts';
import { beginPass, findPass, finishPass, sinceLastFull, StateKeeper } from '../proof/pass.ts';
import { proveTarget } from '../proof/prove-target.ts';
import { summaryOf, verdictOf, type Parts } from '../proof/report.ts';
import type { TargetProof } from '../proof/target/target-proof.ts';
import { fullParts, isFull, tellComplete } from '../proof/tell.ts';
import { Engine, type EngineContext } from './engine.ts';
import { tandemVersion } from './version.ts';

/** Share of the time that it is at work on each server. */
const PACING = { rowsPerSecond: null, maxLoad: 0.2 };
/** Small portions: what is in memory counts beside the stream's. */
const RANGE_ROWS = 10_000;
const PAGE_ROWS = 500;
/** Until it is asked again whether a pass is due, or may begin. */
const LOOK_MS = 5_000;
const AFTER_FAILURE_MS = 60_000;
const PATIENCE_MS = 30_000;

/**
 * Proves all of it, every VERIFY_EVERY, over sessions of its own, until `signal` aborts. What fails
 * is told and tried again: the stream does not depend on it.
 */
export async function verifyBeside(context: EngineContext, signal: AbortSignal): Promise<void> {
  const { config, observer, clock } = context;
  const { verifyEveryMs } = config;
  if (verifyEveryMs === null) return;
  while (!signal.aborted) {
    try {
      await using session = await openSession(context);
      const age = await sinceLastFull(session.target);
      const isDue = age === null || age * 1000 >= verifyEveryMs;
      if (isDue && (await onePass(context, session.target, signal))) continue;
      await clock.sleep(Math.min(LOOK_MS, verifyEveryMs), signal);
    } catch (error) {
      if (signal.aborted) return;
      const facts = { error: error instanceof TandemError ? error.message : 'unexpected' };
      observer.event('proof interrupted', facts, 'warn');
      await clock.sleep(AFTER_FAILURE_MS, signal);
    }
  }
}

async function openSession({ config }: EngineContext) {
  const target = await openClient(config.target, 'verify');
  return { target, [Symbol.asyncDispose]: () => target.end() };
}

/** @returns whether it was full; else it is tried again after a while */
async function onePass(
  context: EngineContext,
  client: pg.Client,
  signal: AbortSignal,
): Promise<boolean> {
  const { config, clock } = context;
  // How far it has come is told by its events; the lines of progress are the stream's.
  const observer: Observer = {
    event: (name, facts, level) => context.observer.event(name, facts, level),
    batch: (report) => context.observer.batch(report),
    progress: () => undefined,
  };
  const engine = await Engine.open({ ...context, observer });
  const { tables, entities } = await engine.remaining();
  if (tables.length + entities.length > 0) return false;
  const { model } = engine;
  const all = [...model.mirror.values()];
  const columns = all.map((it) => [it.name, it.columns.map(({ name }) => name)]);
  const scope = JSON.stringify({ beside: config.stream, columns });
  const pass = (await findPass(client, scope)) ?? (await beginPass(client, scope, 0));
  const keeper = new StateKeeper(client, pass, clock);
  const shared = { source: config.source, target: config.target, observer, clock, signal };
  const mirror = await verifyMirror({
    ...{ ...shared, stream: config.stream, tables: all, pacing: PACING },
    ...{ sample: null, since: null, patienceMs: PATIENCE_MS },
    absent: engine.absent,
    rangeRows: Math.min(config.chunkRows, RANGE_ROWS),
    mayBeat: config.heartbeatSeconds > 0,
    resumeFrom: pass.states,
    keep: (table, state) => keeper.keep(table, state),
  });
  await keeper.flush();
  if (!mirror.isComplete) return false;
  const proved = await proveEachAlone({ ...context, observer }, engine, signal);
  const parts: Parts = {
    scope: { tables: all.map(({ name }) => name), entities: null, since: null, sample: null },
    ...{ mirror, ...proved, repair: null },
  };
  const tandem = tandemVersion();
  const summary = { ...summaryOf({ ...parts, tandem }), full: fullParts(parts) };
  await finishPass(client, pass, { verdict: verdictOf(parts), summary, isFull: isFull(parts) });
  tellComplete(observer, parts);
  return true;
}

/** Each entity in a snapshot of its own: one for all would hold back the target's vacuum for long. */
async function proveEachAlone(
  { config, observer, clock }: EngineContext,
  { model }: Engine,
  signal: AbortSignal,
): Promise<{ readonly target: TargetProof; readonly account: AccountProof }> {
  const shared = {
    ...{ source: config.source, target: config.target, model, observer, clock, signal },
    ...{ workers: 1, pageRows: PAGE_ROWS, settleMs: PATIENCE_MS },
    pace: new Pace(PACING, clock, signal),
  };
  // Journals are beside no entity.
  let { target, account } = await proveTarget({ ...shared, entities: [], journals: true });
  for (const { name, kind } of model.mapping.entities) {
    if (kind !== 'derived') continue;
    const one = await proveTarget({ ...shared, entities: [name] });
    target = {
      ...one.target,
      entities: [...target.entities, ...one.target.entities],
      journals: target.journals,
      agrees: target.agrees && one.target.agrees,
      isSettled: target.isSettled && one.target.isSettled,
    };
    account = {
      ...one.account,
      entities: [...account.entities, ...one.account.entities],
      agrees: account.agrees && one.account.agrees,
      isSettled: account.isSettled && one.account.isSettled,
    };
  }
  return { target, account };
}
