import type pg from 'pg';
import type { Side } from '../../connectors/postgres/connection.ts';
import { sourceName } from '../../connectors/postgres/key-range.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import type { MirrorColumn, MirrorTable } from '../../core/mirror-table.ts';

/** One of the two places that a table is read from. */
export type TableSide = {
  readonly side: Side;
  readonly client: pg.ClientBase;
  readonly from: string;
  readonly typeOf: (column: MirrorColumn) => string;
  /** Which rows count: tombstones do not. */
  readonly isLive: string;
};

export function sourceSide(client: pg.ClientBase, table: MirrorTable): TableSide {
  return {
    side: 'source',
    client,
    from: sourceName(table),
    typeOf: ({ sourceType }) => sourceType,
    isLive: 'true',
  };
}

export function mirrorSide(client: pg.ClientBase, table: MirrorTable): TableSide {
  return {
    side: 'target',
    client,
    from: mirrorName(table),
    typeOf: ({ type }) => type,
    isLive: 'not _deleted',
  };
}
