import { verifyTarget, type TargetProofOptions } from '../../proof/target/verify-target.ts';
import type { EntityProof, TargetProof } from '../../proof/target/target-proof.ts';
import { CLOCK, type Bench } from './apply-bench.ts';

/** The proof of a bench's target, with small pages and several workers. */
export const proofOf = (
  bench: Pick<Bench, 'target' | 'model' | 'notes'>,
  given: Partial<TargetProofOptions> = {},
): Promise<TargetProof> =>
  verifyTarget({
    target: bench.target,
    model: bench.model,
    entities: null,
    workers: 2,
    pageRows: 3,
    maxListed: 10,
    settleMs: 0,
    clock: CLOCK,
    observer: bench.notes,
    signal: new AbortController().signal,
    ...given,
  });

/** Every fault as a line, sorted: `entity kind root table columns`. */
export function faultLines(proof: TargetProof): string[] {
  const lines = proof.entities.flatMap((entity) => [...rowLines(entity), ...markLines(entity)]);
  const journals = proof.journals.flatMap((it) => [
    ...(it.missing > 0 ? [`${it.journal} missing ${it.missing}`] : []),
    ...it.orphans.first.map((key) => `${it.journal} orphan ${key}`),
    ...it.waitingWrongly.first.map((key) => `${it.journal} waiting ${key}`),
  ]);
  return [...lines, ...journals].sort();
}

function rowLines(entity: EntityProof): string[] {
  return (['missing', 'extra', 'different'] as const).flatMap((kind) =>
    entity[kind].first.map(({ root, table, columns }) =>
      [entity.entity, kind, root ?? '-', table, ...columns].join(' '),
    ),
  );
}

function markLines({ entity, marks, notVerified, pending }: EntityProof): string[] {
  return [
    ...marks.first.map(({ list, kind, root, of }) =>
      [entity, list, kind, root, ...(of === null ? [] : [of])].join(' '),
    ),
    ...(notVerified === null ? [] : [`${entity} ${notVerified}`]),
    ...pending.first.map(({ root }) => `${entity} pending ${root}`),
  ];
}
