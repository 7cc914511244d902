import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { idSql, keyTextSql } from '../../connectors/postgres/root-sql.ts';
import { arrayLiteral, ident } from '../../connectors/postgres/sql.ts';
import { keyForm } from '../../consumers/map-roots.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import type { Model } from '../../consumers/model.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { uuidOf, uuidRange } from '../../core/uuid.ts';
import { REFUSED_REMOVALS } from '../refused-removals.ts';
import { liveSql } from '../target/find-strays.ts';
import type { Amount, SumProof } from './account-proof.ts';

type RootCount = {
  readonly mirrorRows: number;
  readonly tombstones: number;
  readonly applied: number;
  readonly held: number;
  readonly quarantined: number;
  readonly excluded: number;
  readonly inNone: number;
  readonly inSeveral: number;
  /** Live target rows, without seeds that no root has adopted. Null for a fan-out. */
  readonly targetRows: number | null;
  /** Live rows of refused roots, accepted ones too: those of an earlier version stay. */
  readonly keptRows: number;
  readonly sums: readonly Omit<SumProof, 'source'>[];
};

/** The lists whose entries are one of the four ways in which a root ends. */
const LISTS = ['held', 'quarantine', 'excluded'] as const;

/**
 * Each live root with how it ended. Columns: `key`; `is_live` (it has a live target row, or a
 * record of rows); one flag for each list; `ways`; and of every sum `v1` (the root's value) and
 * `t1` (that of its live target row).
 */
function rootsSql(model: Model, entity: DerivedEntity, root: MirrorTable): string {
  const key = root.columns.slice(0, root.keyLength).map(({ name }) => name);
  const keyText = keyTextSql('r', key);
  const listed = (list: string) => `left join (
      select distinct root_key from tandem.${list} where entity = $1
    ) as ${list} on ${list}.root_key = ${keyText}`;
  const target = entity.targets[0] ?? '';
  const live = entity.fanOut
    ? listed('yielded')
    : `left join ${targetName(target)} as t on t.id = ${idSql(entity.identity, keyForm(root), 'r', key)}
      and ${liveSql(model, target, 't')}`;
  const isLive = entity.fanOut ? 'yielded.root_key is not null' : 't.id is not null';
  const values = Object.entries(entity.sums).map(
    ([column, of], i) =>
      `, r.${ident(of)}::numeric as v${i + 1}, t.${ident(column)}::numeric as t${i + 1}`,
  );
  const flags = LISTS.map((list) => `${list}.root_key is not null as is_${list}`);
  flags.push('quarantine.root_key is not null or accepted.root_key is not null as is_refused');
  return `select *, (is_live and not is_refused)::int
      + ${LISTS.map((list) => `is_${list}::int`).join(' + ')} as ways
    from (select ${keyText} as key, ${isLive} as is_live, ${flags.join(', ')}${values.join('')}
      from ${mirrorName(root)} as r ${live} ${[...LISTS, 'accepted'].map(listed).join(' ')}
      where not r._deleted) as root`;
}

/** Counts and sums of one entity, in one statement. `pending`: keys that are not judged. */
export async function countRoots(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  root: MirrorTable,
  pending: readonly string[],
): Promise<RootCount> {
  const sums = Object.entries(entity.sums);
  const { first, last } = uuidRange(entity.identity, keyForm(root));
  const target = entity.targets[0] ?? '';
  const amounts = sums.flatMap((_, i) => [
    ...amountOf(`m${i}`, `v${i + 1}`, 'true'),
    ...amountOf(`h${i}`, `v${i + 1}`, 'is_held'),
    ...amountOf(`q${i}`, `v${i + 1}`, 'is_quarantine'),
    ...amountOf(`x${i}`, `v${i + 1}`, 'is_excluded'),
    ...amountOf(`k${i}`, `t${i + 1}`, 'is_live and is_refused'),
  ]);
  const totals = sums.flatMap(([column], i) => amountOf(`t${i}`, `t.${ident(column)}::numeric`));
  const [row = []] = await textRows(
    client,
    `with a as (select count(*) as roots,
        count(*) filter (where is_live and not is_refused) as applied,
        count(*) filter (where is_held) as held,
        count(*) filter (where is_quarantine) as quarantined,
        count(*) filter (where is_excluded) as excluded,
        count(*) filter (where ways = 0 and key <> all($2::text[])) as in_none,
        count(*) filter (where ways > 1 and key <> all($2::text[])) as in_several,
        count(*) filter (where is_live and is_refused) as kept
        ${amounts.map((it) => `, ${it}`).join('')}
      from (${rootsSql(model, entity, root)}) as root),
    b as (select count(*) as live ${totals.map((it) => `, ${it}`).join('')}
      from ${targetName(target)} as t
      where t.id between $3 and $4 and t.id <> all($5::uuid[]) and ${liveSql(model, target, 't')})
    select roots, (select count(*) from ${mirrorName(root)} where _deleted), applied, held,
      quarantined, excluded, in_none, in_several, live, kept
      ${sums.map((_, i) => `, ${sumColumns(i)}`).join('')}
    from a, b`,
    [
      entity.name,
      arrayLiteral(pending),
      first,
      last,
      arrayLiteral([
        ...(await openSeeds(client, entity, root)),
        ...(await keptWithoutRoot(client, entity, root)),
      ]),
    ],
  );
  const [mirrorRows = 0, tombstones = 0, applied = 0, held = 0, quarantined = 0] = row.map(Number);
  const [excluded = 0, inNone = 0, inSeveral = 0, live = 0, keptRows = 0] = row
    .slice(5)
    .map(Number);
  return {
    ...{ mirrorRows, tombstones, applied, held, quarantined, excluded, inNone, inSeveral },
    targetRows: entity.fanOut ? null : live,
    keptRows,
    sums: sums.map(([targetColumn, column], i) => ({
      ...{ column, targetColumn },
      ...readSum(row.slice(10 + i * SUM_WIDTH, 10 + (i + 1) * SUM_WIDTH)),
    })),
  };
}

const amountOf = (name: string, value: string, which = 'true') => [
  `count(${value}) filter (where ${which}) as ${name}_rows`,
  `coalesce(sum(${value}) filter (where ${which}), 0) as ${name}_sum`,
];

/** Mirror, applied, held, quarantined, excluded, difference: rows and sum of each; whether equal. */
const SUM_WIDTH = 13;

function sumColumns(i: number): string {
  const of = (what: 'rows' | 'sum') => {
    const applied = `(t${i}_${what} - k${i}_${what})`;
    const others = `(${applied} + h${i}_${what} + q${i}_${what} + x${i}_${what})`;
    return { applied, others };
  };
  const [rows, sum] = [of('rows'), of('sum')];
  return [
    ...[`m${i}_rows`, `m${i}_sum`, rows.applied, sum.applied],
    ...['h', 'q', 'x'].flatMap((it) => [`${it}${i}_rows`, `${it}${i}_sum`]),
    ...[`m${i}_rows - ${rows.others}`, `m${i}_sum - ${sum.others}`],
    `m${i}_rows = ${rows.others} and m${i}_sum = ${sum.others}`,
  ].join(', ');
}

function readSum(
  cells: readonly (string | null)[],
): Omit<SumProof, 'source' | 'column' | 'targetColumn'> {
  const amount = (place: number): Amount => ({
    rows: Number(cells[place * 2]),
    sum: cells[place * 2 + 1] ?? '0',
  });
  return {
    mirror: amount(0),
    applied: amount(1),
    held: amount(2),
    quarantined: amount(3),
    excluded: amount(4),
    difference: amount(5),
    agrees: cells[SUM_WIDTH - 1] === 't',
  };
}

/** Ids of seeded rows that no root has adopted: they are no root's. */
async function openSeeds(
  client: pg.ClientBase,
  entity: DerivedEntity,
  root: MirrorTable,
): Promise<string[]> {
  if (entity.seeds.length === 0) return [];
  const key = root.columns.slice(0, root.keyLength).map(({ name }) => name);
  const rows = await textRows(
    client,
    `select seed.id from unnest($1::uuid[]) as seed (id) where not exists (
       select from ${mirrorName(root)} as r
       where ${idSql(entity.identity, keyForm(root), 'r', key)} = seed.id)`,
    [arrayLiteral(entity.seeds.map((key) => uuidOf(entity.identity, key)))],
  );
  return rows.map(([id]) => id ?? '');
}

/** Ids of rows whose root is gone and that the target could not remove: they are no root's. */
async function keptWithoutRoot(
  client: pg.ClientBase,
  entity: DerivedEntity,
  root: MirrorTable,
): Promise<string[]> {
  const key = root.columns.slice(0, root.keyLength).map(({ name }) => name);
  const rows = await textRows(
    client,
    `select ${idSql(entity.identity, keyForm(root), 'r', key)} from ${mirrorName(root)} as r
     where r._deleted and ${keyTextSql('r', key)} in (${REFUSED_REMOVALS})`,
    [entity.name],
  );
  return rows.map(([id]) => id ?? '');
}

/** The first roots that ended in no way, or in several. */
export async function rootsWith(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  root: MirrorTable,
  given: { ways: 'none' | 'several'; pending: readonly string[]; maxListed: number },
): Promise<string[]> {
  const rows = await textRows(
    client,
    `select key from (${rootsSql(model, entity, root)}) as root
     where ${given.ways === 'none' ? 'ways = 0' : 'ways > 1'} and key <> all($2::text[])
     order by length(key), key limit $3`,
    [entity.name, arrayLiteral(given.pending), given.maxListed],
  );
  return rows.map(([key]) => key ?? '');
}
