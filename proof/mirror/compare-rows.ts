import type pg from 'pg';
import { statementError, textRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../../connectors/postgres/sql.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import type { Image, MirrorColumn, MirrorTable } from '../../core/mirror-table.ts';
import { parseLsn, type Version } from '../../core/version.ts';

/** A key, beside what the source has under it. */
export type Compared = {
  readonly onSource: boolean;
  readonly mirror: { readonly isDeleted: boolean; readonly version: Version } | null;
  readonly differing: readonly string[];
};

/**
 * Compares rows of the source with those of the mirror, in the mirror: the source's texts are cast
 * to the column's type there, as the copy and the stream cast them, and both are printed by the same
 * server. So no setting and no version of the source can make a difference, and no value comes back.
 *
 * @returns one for each key, in their order
 */
export async function compareRows(
  target: pg.ClientBase,
  table: MirrorTable,
  keys: readonly (readonly string[])[],
  rows: readonly Image[],
): Promise<readonly Compared[]> {
  const { columns, keyLength } = table;
  const keyColumns = columns.slice(0, keyLength);
  const lists = [
    ...keyColumns.map((_, i) => keys.map((key) => key[i] ?? '')),
    ...columns.map((_, i) => rows.map((row) => row[i] ?? null)),
  ];
  try {
    const found = await textRows(target, statement(table), lists.map(arrayLiteral));
    return found.map(([onSource, commit, change, deleted, ...flags]): Compared => {
      const mirror =
        commit == null
          ? null
          : {
              isDeleted: deleted === 't',
              version: { commitLsn: parseLsn(commit), changeLsn: parseLsn(change ?? '') },
            };
      const both = onSource === 't' && mirror?.isDeleted === false;
      return {
        onSource: onSource === 't',
        mirror,
        differing: both
          ? columns.filter((_, i) => flags[i] === 't').map((column) => column.name)
          : [],
      };
    });
  } catch (error) {
    throw statementError('target', error, `verify ${table.name}`);
  }
}

function statement(table: MirrorTable): string {
  const { columns, keyLength } = table;
  const keys = columns.slice(0, keyLength);
  const first = ident(keys[0]?.name ?? '');
  const on = (left: string) =>
    keys.map(({ name }) => `${left}.${ident(name)} = wanted.${ident(name)}`).join(' and ');
  const differs = columns.map(
    ({ name }) => `mirror.${ident(name)}::text is distinct from source.${ident(name)}::text`,
  );
  return `
    with wanted as (select ${typed(keys)}, place from ${unnested(keys, 1, true)}),
      source as (select ${typed(columns)} from ${unnested(columns, keyLength + 1, false)})
    select source.${first} is not null, mirror._commit_lsn, mirror._change_lsn, mirror._deleted,
      ${differs.join(', ')}
    from wanted left join source on ${on('source')}
      left join ${mirrorName(table)} as mirror on ${on('mirror')}
    order by wanted.place`;
}

/** Arrays go up as text and are cast one by one: `unnest` would flatten them. */
const isArray = ({ type }: MirrorColumn) => type.endsWith('[]');

function typed(columns: readonly MirrorColumn[]): string {
  return columns
    .map((column) => {
      const name = ident(column.name);
      return isArray(column) ? `given.${name}::${column.type} as ${name}` : `given.${name}`;
    })
    .join(', ');
}

function unnested(columns: readonly MirrorColumn[], start: number, isNumbered: boolean): string {
  const arrays = columns.map(
    (column, i) => `$${start + i}::${isArray(column) ? 'text' : column.type}[]`,
  );
  const names = columns.map(({ name }) => ident(name));
  const list = isNumbered ? [...names, 'place'] : names;
  return `unnest(${arrays.join(', ')})${isNumbered ? ' with ordinality' : ''} as given (${list.join(', ')})`;
}
