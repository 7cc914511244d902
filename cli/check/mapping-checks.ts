import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { qualified } from '../../connectors/postgres/sql.ts';
import type { Mapping } from '../../core/entity.ts';
import {
  checkMapping,
  learnMapping,
  notNullCycles,
  openReferences,
  unknownTargetColumns,
  type KnownTarget,
  type MappingFinding,
  type OpenReference,
} from '../../core/mapping-check.ts';
import { splitTableName } from '../../core/mirror-table.ts';
import { uuidRange } from '../../core/uuid.ts';
import { failure, listed, ok, warning, type CheckResult, type Topic } from './result.ts';

const WHY = 'An error in the mapping would show on every row.';

/** The target as far as it was reached; null where it was not. */
export type TargetView = {
  readonly client: pg.ClientBase;
  readonly tables: ReadonlyMap<string, KnownTarget>;
  readonly isSetUp: boolean;
};

/** Everything about the mapping itself: one result for each thing that is wrong, or one that is ok. */
export async function checkMappingModule(
  mapping: Mapping,
  target: TargetView | null,
): Promise<readonly CheckResult[]> {
  const learned = learnMapping(mapping);
  const findings = [
    ...checkMapping(mapping, learned),
    ...(target === null ? [] : unknownTargetColumns(learned, target.tables)),
    ...(target === null ? [] : notNullCycles(mapping, target.tables)),
  ];
  const references = await checkReferences(openReferences(learned), target);
  const wrong = [...findings.map(asFailure), ...references];
  if (wrong.some(({ status }) => status === 'failure')) return wrong;
  const topic: Topic = { subject: 'mapping', name: mapping.name, why: WHY };
  return [ok(topic, `${mapping.entities.length} entities, tried with made-up rows`), ...wrong];
}

function asFailure({ entity, at, problem, mend }: MappingFinding): CheckResult {
  return failure({ subject: 'mapping', name: entity, why: WHY }, `${problem} (${at})`, mend);
}

/** A reference to what no entity yields is right where seed rows have such ids. */
async function checkReferences(
  open: readonly OpenReference[],
  target: TargetView | null,
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [identity, references] of byIdentity(open)) {
    const missing: OpenReference[] = [];
    for (const reference of references) {
      const isSeeded = target?.isSetUp === true && (await hasSeedRow(target, reference));
      if (!isSeeded) missing.push(reference);
    }
    const [first] = missing;
    if (first === undefined) continue;
    const topic: Topic = {
      subject: 'mapping',
      name: first.entity,
      why: 'A reference to what never comes is null for ever, or holds its row for ever.',
    };
    const columns = listed(missing.map(({ table, column }) => `${table}.${column}`));
    const found = `no entity yields '${identity}', which ${columns} refer to (${first.at})`;
    const mend = `Correct the name in ref('${identity}', …), add the entity, or seed its rows with tandem.uuid_of('${identity}', id).`;
    if (target?.isSetUp === true) results.push(failure(topic, found, mend));
    else
      results.push(
        warning(topic, `${found}; seed rows may`, `${mend} Check again after the setup.`),
      );
  }
  return results;
}

function byIdentity(references: readonly OpenReference[]): Map<string, OpenReference[]> {
  const groups = new Map<string, OpenReference[]>();
  for (const reference of references) {
    groups.set(reference.identity, [...(groups.get(reference.identity) ?? []), reference]);
  }
  return groups;
}

async function hasSeedRow(target: TargetView, reference: OpenReference): Promise<boolean> {
  const { table, column, identity } = reference;
  const parent = target.tables.get(table)?.columns.get(column)?.references;
  // Without a foreign key there is no table to look in.
  if (typeof parent !== 'string') return false;
  const { schema, relation } = splitTableName(parent);
  const { first, last } = uuidRange(identity);
  const rows = await textRows(
    target.client,
    `select 1 from ${qualified(schema, relation)} where id between $1::uuid and $2::uuid limit 1`,
    [first, last],
  );
  return rows.length > 0;
}
