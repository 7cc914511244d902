import type { Mapping } from '../../core/entity.ts';
import type { Sample } from '../sample/sampler.ts';
import { underived, type TargetSample } from '../sample/target-sample.ts';

type Missing = {
  readonly what: 'target' | 'setup' | 'load' | 'derive' | 'consistency' | 'heartbeat' | 'lag';
  readonly detail: string;
};

export type ReadinessFacts = {
  readonly mapping: Mapping;
  readonly nowMs: number;
  /** As old may the newest heartbeat, and what is known of the target, be. */
  readonly limitMs: number;
  /** The newest look at both databases; null before the first. */
  readonly sample: Sample | null;
  readonly heartbeats: {
    readonly areSent: boolean;
    /** Age of the newest one committed in the target; null where there is none. */
    readonly ageMs: number | null;
  };
};

/** Without heartbeats: one WAL segment, as an idle source may begin a new one by itself. */
const LAG_BYTES = 16 * 1024 * 1024;

/** What the target lacks to be up to date. A fact about the target: whether a process is up is not asked. */
export function missingToBeReady(facts: ReadinessFacts): readonly Missing[] {
  const { sample, nowMs, limitMs, mapping, heartbeats } = facts;
  if (sample === null) return [{ what: 'target', detail: 'it has not been asked yet' }];
  if ('failure' in sample.target) {
    return [{ what: 'target', detail: `it cannot be asked: ${sample.target.failure.code}` }];
  }
  const target = sample.target.value;
  if (target === null) return [{ what: 'setup', detail: 'the stream is not set up' }];
  const missing = missingOfBackfill(target, mapping);
  const silentMs = nowMs - sample.atMs;
  if (silentMs > limitMs) {
    missing.push({ what: 'target', detail: `it was last asked ${seconds(silentMs)} ago` });
  }
  const behind = heartbeats.areSent
    ? tooOld(heartbeats.ageMs, limitMs, sample)
    : tooFar(sample, target);
  if (behind !== null) missing.push(behind);
  return missing;
}

function missingOfBackfill(target: TargetSample, mapping: Mapping): Missing[] {
  const missing: Missing[] = [];
  const { tables, loadedTables } = target;
  if (tables === 0 || loadedTables < tables) {
    missing.push({ what: 'load', detail: `${loadedTables} of ${tables} tables are loaded` });
  }
  const entities = underived(mapping, target);
  if (entities.length > 0) {
    missing.push({ what: 'derive', detail: `not derived yet: ${entities.join(', ')}` });
  }
  if (missing.length === 0 && !target.isConsistent) {
    const detail = 'the stream has not passed the place where the last chunk was read';
    missing.push({ what: 'consistency', detail });
  }
  return missing;
}

function tooOld(ageMs: number | null, limitMs: number, { source }: Sample): Missing | null {
  if (ageMs !== null && ageMs <= limitMs) return null;
  const age =
    ageMs === null
      ? 'none is in the target yet'
      : `the newest one in the target is ${seconds(ageMs)} old, the limit is ${seconds(limitMs)}`;
  const cause = 'failure' in source ? `; the source cannot be asked: ${source.failure.code}` : '';
  return { what: 'heartbeat', detail: `${age}${cause}` };
}

function tooFar({ source }: Sample, { position }: TargetSample): Missing | null {
  if ('failure' in source) {
    return { what: 'lag', detail: `the source cannot be asked: ${source.failure.code}` };
  }
  const bytes = Number(source.value.end - position);
  if (bytes <= LAG_BYTES) return null;
  return { what: 'lag', detail: `the target is ${bytes} bytes behind, the limit is ${LAG_BYTES}` };
}

const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
