import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { idSql, keyTextSql } from '../connectors/postgres/root-sql.ts';
import { qualified } from '../connectors/postgres/sql.ts';
import { inSnapshot } from '../connectors/postgres/transaction.ts';
import type { DerivedEntity, Mapping } from '../core/entity.ts';
import type { ErrorCode } from '../core/errors.ts';
import { splitTableName } from '../core/mirror-table.ts';
import type { KeyForm } from '../core/uuid.ts';

/** What became of an entity's source rows. They add up: see `difference`. */
export type EntityAccount = {
  readonly entity: string;
  readonly source: string;
  readonly targets: readonly string[];
  readonly state: 'active' | 'paused' | 'stopped';
  /** Live rows of the root table in the mirror. */
  readonly sourceRows: number;
  /** Roots with a live target row. */
  readonly applied: number;
  /** Roots that wait for a parent. */
  readonly held: number;
  /** Roots that the mapping or the database refused. */
  readonly quarantined: number;
  /** Roots that are not for this entity, by the name of the rule. */
  readonly excluded: ReadonlyMap<string, number>;
  /** Applied rows with a reference that is null until its parent arrives. */
  readonly unresolved: number;
  readonly issues: number;
  /** Rows of roots that are gone, which the target could not remove. */
  readonly notRemoved: number;
  /** Source rows that are none of these: anything but 0 is a defect, or an open job. */
  readonly difference: number;
};

/** Such a root is gone, so it is not among those that are accounted for. */
const REMOVAL = 'TARGET_REFUSED_REMOVAL' satisfies ErrorCode;

/** The account of every entity, in one snapshot of the target. */
export async function account(client: pg.ClientBase, mapping: Mapping): Promise<EntityAccount[]> {
  return await inSnapshot(client, async () => {
    const derived = mapping.entities.filter((entity) => entity.kind === 'derived');
    const marking = await tablesThatMark(client);
    const accounts: EntityAccount[] = [];
    for (const entity of derived) accounts.push(await accountOf(client, entity, marking));
    return accounts;
  });
}

/** Tables with a column `deleted_at`: what is gone is marked there, and deleted elsewhere. */
async function tablesThatMark(client: pg.ClientBase): Promise<ReadonlySet<string>> {
  const rows = await textRows(
    client,
    `select nspname, relname from pg_attribute
     join pg_class on pg_class.oid = attrelid join pg_namespace on pg_namespace.oid = relnamespace
     where attname = 'deleted_at' and not attisdropped and relkind in ('r', 'p')`,
  );
  return new Set(rows.map(([schema, relation]) => qualified(schema ?? '', relation ?? '')));
}

async function accountOf(
  client: pg.ClientBase,
  entity: DerivedEntity,
  marking: ReadonlySet<string>,
): Promise<EntityAccount> {
  const { name } = entity;
  const [row] = await textRows(
    client,
    `select
       (select count(*) from ${mirrorOf(entity)} where not _deleted),
       (${appliedSql(entity, marking)}),
       (select count(distinct root_key) from tandem.held where entity = $1),
       (select count(*) from tandem.quarantine where entity = $1 and error_class <> '${REMOVAL}'),
       (select count(distinct root_key) from tandem.unresolved where entity = $1),
       (select count(*) from tandem.issue where entity = $1),
       (select count(*) from tandem.quarantine where entity = $1 and error_class = '${REMOVAL}'),
       coalesce((select state from tandem.entity where name = $1), 'active')`,
    [name],
  );
  const [sourceRows = 0, applied = 0, held = 0, quarantined = 0] = (row ?? []).map(Number);
  const [unresolved = 0, issues = 0, notRemoved = 0] = (row ?? []).slice(4).map(Number);
  const rules = await textRows(
    client,
    `select rule, count(*) from tandem.excluded where entity = $1 and rule <> 'accepted: ${REMOVAL}'
     group by rule order by rule`,
    [name],
  );
  const excluded = new Map(rules.map(([rule, count]) => [rule ?? '', Number(count)]));
  const excludedRows = [...excluded.values()].reduce((sum, count) => sum + count, 0);
  return {
    entity: name,
    source: entity.shape.table.name,
    targets: entity.targets,
    state: (row?.[7] ?? 'active') as EntityAccount['state'],
    sourceRows,
    applied,
    held,
    quarantined,
    excluded,
    unresolved,
    issues,
    notRemoved,
    difference: sourceRows - applied - held - quarantined - excludedRows,
  };
}

const mirrorOf = (entity: DerivedEntity) => qualified('legacy', entity.shape.table.name);

/**
 * Roots of the mirror with a live target row, by their computed id; a refused root may still have
 * the row of an earlier version, and counts as quarantined (or as accepted, which is excluded) only.
 */
function appliedSql(entity: DerivedEntity, marking: ReadonlySet<string>): string {
  const refused = (key: string) =>
    ['quarantine', 'accepted']
      .map(
        (list) => `not exists (select from tandem.${list} as refused
          where refused.entity = $1 and refused.root_key = ${key})`,
      )
      .join(' and ');
  if (entity.fanOut) {
    return `select count(distinct root_key) from tandem.yielded as yielded
      where entity = $1 and ${refused('yielded.root_key')}`;
  }
  const { schema, relation } = splitTableName(entity.targets[0] ?? '');
  const target = qualified(schema, relation);
  const isLive = marking.has(target) ? 'target.deleted_at is null' : 'true';
  const { key } = entity.shape.table;
  return `select count(*) from ${mirrorOf(entity)} as root
    join ${target} as target
      on target.id = ${idSql(entity.identity, formOfKey(entity.shape.table), 'root', key)}
    where not root._deleted and ${isLive} and ${refused(keyTextSql('root', key))}`;
}

const INTEGERS: ReadonlySet<string | undefined> = new Set(['int2', 'int4', 'int8']);

function formOfKey({ key, columns }: DerivedEntity['shape']['table']): KeyForm {
  if (key.length > 2 || !key.every((column) => INTEGERS.has(columns[column]?.kind))) return 2;
  return key.length === 2 ? 1 : 0;
}
