import type { Facts } from '../../core/ports.ts';
import type { Metrics } from './metrics.ts';

type Told = { readonly facts: Facts; readonly nowMs: number };
type Measure = (metrics: Metrics, told: Told) => void;

const text = (fact: Facts[string] | undefined) => String(fact ?? '');

/**
 * What an event says beyond that it happened, by its name; all events are counted anyway. A new one
 * is a line here.
 */
export const EVENT_METRICS: Readonly<Record<string, Measure>> = {
  interrupted: ({ interruptions }, { facts }) => interruptions.inc({ code: text(facts['code']) }),

  'job portion done': ({ jobRows }, { facts }) =>
    jobRows.inc({ entity: text(facts['entity']) }, Number(facts['roots'] ?? 0)),

  'chunk refused, narrowing down by a job': ({ chunkFailures }, { facts }) =>
    chunkFailures.inc({ entity: text(facts['entity']) }),

  /** The total was an estimate; now it is known. */
  derived: ({ backfillDone, backfillTotal }, { facts }) => {
    const labels = { stage: 'derive', subject: text(facts['entity']) };
    backfillDone.set(Number(facts['roots'] ?? 0), labels);
    backfillTotal.set(Number(facts['roots'] ?? 0), labels);
  },

  /** `{ proof, result: 'agrees' | 'differs' | 'unsettled', rows }`, for each range. */
  'proof range': ({ proofRanges, proofRows }, { facts }) => {
    const proof = text(facts['proof']);
    proofRanges.inc({ proof, result: text(facts['result']) });
    proofRows.inc({ proof }, Number(facts['rows'] ?? 0));
  },

  /** `{ proof, subject, rows }`: so many rows of a table or entity stayed different. */
  'proof mismatch': ({ proofMismatches }, { facts }) =>
    proofMismatches.inc(
      { proof: text(facts['proof']), subject: text(facts['subject']) },
      Number(facts['rows'] ?? 1),
    ),

  /** `{ proof, mismatches }`: a full pass has ended, one that left nothing out. */
  'proof complete': ({ proofLastPass, proofLastMismatches }, { facts, nowMs }) => {
    const labels = { proof: text(facts['proof']) };
    proofLastPass.set(nowMs / 1000, labels);
    proofLastMismatches.set(Number(facts['mismatches'] ?? 0), labels);
  },
};
