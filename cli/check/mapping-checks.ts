import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { qualified } from '../../connectors/postgres/sql.ts';
import type { Mapping } from '../../core/entity.ts';
import {
  checkMapping,
  forgottenColumns,
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
import { didYouMean } from '../similar.ts';
import { failure, listed, ok, warning, type CheckResult, type Topic } from './result.ts';

const WHY = 'An error in the mapping would show on every row.';

/** The target as far as it was reached; null where it was not. */
type TargetView = {
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
    ...(target === null ? [] : notNullCycles(mapping, target.tables)),
  ];
  const tables = target?.tables ?? new Map<string, KnownTarget>();
  const identities = mapping.entities.map(({ identity }) => identity);
  const references = await checkReferences(openReferences(learned), target, identities);
  const wrong = [
    ...findings.map(asFailure),
    ...unknownTargetColumns(learned, tables).map(target?.isSetUp === true ? asFailure : untilSetUp),
    ...forgottenColumns(learned, tables).map(asWarning),
    ...references,
  ];
  if (wrong.some(({ status }) => status === 'failure')) return wrong;
  const topic: Topic = { subject: 'mapping', name: mapping.name, why: WHY };
  return [ok(topic, `${mapping.entities.length} entities, tried with made-up rows`), ...wrong];
}

function asFailure({ entity, at, problem, mend, spelling }: MappingFinding): CheckResult {
  const topic: Topic = { subject: 'mapping', name: entity, why: WHY };
  const near = spelling === undefined ? '' : suggestion(spelling.name, spelling.among);
  return failure(topic, `${problem} (${at})`, `${near}${mend}`);
}

const asWarning = (finding: MappingFinding): CheckResult => ({
  ...asFailure(finding),
  status: 'warning',
});

/** A migration that is not applied yet may make the table fit. */
function untilSetUp(finding: MappingFinding): CheckResult {
  const result = asWarning(finding);
  const found = `${result.found}; a migration that is not applied yet may add it`;
  return { ...result, found, mend: `${result.mend ?? ''} Check again after the setup.` };
}

function suggestion(name: string, among: readonly string[]): string {
  const near = didYouMean(name, among);
  return near === null || near === name ? '' : `Did you mean ${near}? `;
}

/** A reference to what no entity yields is right where seed rows have such ids. */
async function checkReferences(
  open: readonly OpenReference[],
  target: TargetView | null,
  identities: readonly string[],
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [identity, references] of byIdentity(open)) {
    const missing: OpenReference[] = [];
    for (const reference of references) {
      // That the table is missing is said elsewhere; its seed rows cannot be looked for.
      if (target?.isSetUp === true && !target.tables.has(reference.table)) continue;
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
    const found = `no entity yields '${identity}', which ${columns} ${missing.length === 1 ? 'refers' : 'refer'} to (${first.at})`;
    const mend = `${suggestion(identity, identities)}Correct the name in ref('${identity}', …), add the entity, or seed its rows with tandem.uuid_of('${identity}', id).`;
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
