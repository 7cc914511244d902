import { isLost, type NoSlot, type SlotState } from '../../connectors/postgres/slot.ts';
import type { Mapping } from '../../core/entity.ts';
import type { EntityAccount } from '../account.ts';
import type { Sample } from '../sample/sampler.ts';
import type { SourceSample } from '../sample/source-sample.ts';
import { ENTITY_STATES, LISTS, underived, type TargetSample } from '../sample/target-sample.ts';
import type { WalBudget } from '../sample/wal-budget.ts';
import type { Metrics } from './metrics.ts';

const SLOT_STATES = ['active', 'idle', 'lost', 'missing'] as const;

/** Shows what a look at both databases found. What could not be asked is unknown, not as it was. */
export function showSample(
  metrics: Metrics,
  sample: Sample,
  context: { readonly mapping: Mapping; readonly budget: WalBudget },
): void {
  const source = 'value' in sample.source ? sample.source.value : null;
  const target = 'value' in sample.target ? sample.target.value : null;
  metrics.databaseUp.set(source === null ? 0 : 1, { side: 'source' });
  metrics.databaseUp.set('value' in sample.target ? 1 : 0, { side: 'target' });
  showSource(metrics, source);
  context.budget.note(sample.atMs, source === null ? null : budgetLeft(source));
  metrics.slotExhaustion.set(context.budget.secondsLeft());
  // They were asked at nearly, not exactly, the same moment.
  const isKnown = source !== null && target !== null;
  const lag = isKnown ? Number(source.end - target.position) : null;
  metrics.lagBytes.set(lag === null ? null : Math.max(0, lag));
  if (target === null) forgetTarget(metrics);
  else showTarget(metrics, target, context.mapping);
}

function showSource(metrics: Metrics, source: SourceSample | null): void {
  metrics.slotState.forget();
  metrics.sourceEnd.set(source === null ? null : Number(source.end));
  metrics.slotBudget.set(source?.budgetBytes ?? null);
  metrics.slotBudgetLeft.set(source === null ? null : budgetLeft(source));
  const retained = source?.slot.exists === true ? source.slot.retainedBytes : null;
  metrics.slotRetained.set(retained === null ? null : Number(retained));
  if (source === null) return;
  const present = slotState(source.slot);
  for (const state of SLOT_STATES) metrics.slotState.set(state === present ? 1 : 0, { state });
}

function slotState(slot: SlotState | NoSlot): (typeof SLOT_STATES)[number] {
  if (!slot.exists) return 'missing';
  if (isLost(slot)) return 'lost';
  return slot.isActive ? 'active' : 'idle';
}

function budgetLeft({ slot }: SourceSample): number | null {
  if (!slot.exists) return null;
  // Of a slot that is lost the server says nothing here.
  if (isLost(slot)) return 0;
  return slot.safeWalBytes === null ? null : Math.max(0, Number(slot.safeWalBytes));
}

function showTarget(metrics: Metrics, target: TargetSample, mapping: Mapping): void {
  const { heartbeatDelayMs, tables, loadedTables } = target;
  metrics.lastDelay.set(heartbeatDelayMs === null ? null : heartbeatDelayMs / 1000);
  metrics.mirrorTables.set(loadedTables, { state: 'loaded' });
  metrics.mirrorTables.set(tables - loadedTables, { state: 'loading' });
  metrics.entitiesToDerive.set(underived(mapping, target).length);
  metrics.copyConsistent.set(target.isConsistent ? 1 : 0);
  metrics.openJobs.set(target.openJobs);
  metrics.oldestJob.set(target.oldestJobSeconds);
  showLists(metrics, target, mapping);
  metrics.unreadMessages.set(target.unreadMessages);
  for (const { proof, endedAtMs, mismatches } of target.proofs) {
    metrics.proofLastPass.set(endedAtMs / 1000, { proof });
    metrics.proofLastMismatches.set(mismatches, { proof });
  }
  metrics.entityState.forget();
  for (const { kind, name } of mapping.entities) {
    if (kind !== 'derived') continue;
    const present = target.entities.get(name)?.state ?? 'active';
    for (const state of ENTITY_STATES) {
      metrics.entityState.set(state === present ? 1 : 0, { entity: name, state });
    }
  }
}

/** Empty lists are zeros, so that a rule need not tell "none" from "not known". */
function showLists(metrics: Metrics, { lists }: TargetSample, { entities }: Mapping): void {
  metrics.waiting.forget();
  metrics.waitingOldest.forget();
  for (const list of LISTS) {
    for (const { name } of entities) metrics.waiting.set(0, { list, entity: name });
    const found = lists.filter((sample) => sample.list === list);
    for (const { entity, rows } of found) metrics.waiting.set(rows, { list, entity });
    const ages = found.map(({ oldestSeconds }) => oldestSeconds);
    if (ages.length > 0) metrics.waitingOldest.set(Math.max(...ages), { list });
  }
}

function forgetTarget(metrics: Metrics): void {
  const { lastDelay, mirrorTables, entitiesToDerive, copyConsistent } = metrics;
  const { openJobs, oldestJob, waiting, waitingOldest, entityState, unreadMessages } = metrics;
  for (const reading of [lastDelay, entitiesToDerive, copyConsistent, openJobs, oldestJob]) {
    reading.forget();
  }
  unreadMessages.forget();
  for (const reading of [mirrorTables, waiting, waitingOldest, entityState]) reading.forget();
}

/** Shows an account that was counted. */
export function showAccount(
  metrics: Metrics,
  accounts: readonly EntityAccount[],
  atMs: number,
): void {
  metrics.accountRows.forget();
  metrics.accountDifference.forget();
  metrics.accountTime.set(atMs / 1000);
  for (const it of accounts) {
    const { entity, applied, held, quarantined } = it;
    const excluded = [...it.excluded.values()].reduce((sum, count) => sum + count, 0);
    const outcomes = { source: it.sourceRows, applied, held, quarantined, excluded };
    for (const [outcome, rows] of Object.entries(outcomes)) {
      metrics.accountRows.set(rows, { entity, outcome });
    }
    metrics.accountDifference.set(it.difference, { entity });
  }
}
