import type pg from 'pg';
import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import { ident, qualified } from '../../connectors/postgres/sql.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import { readUsages } from '../../core/usage.ts';
import mapping from '../../transforms/mapping.ts';

/** One table of the mirror, as two plain COPY statements. */
export type MirrorCopy = {
  readonly table: string;
  /** Its name on the target. */
  readonly twin: string;
  readonly out: string;
  readonly in: string;
};

/** The copies that a person would type: mapped columns out, the same columns in. */
export async function mirrorCopies(source: pg.Client): Promise<readonly MirrorCopy[]> {
  const wanted = [...readUsages(mapping).tables].map(
    ([name, { key, columns }]) => [name, { key, columns: [...columns] }] as const,
  );
  const tables = await mirrorTables(source, new Map(wanted));
  return [...tables.values()].map((table) => {
    const columns = table.columns.map(({ name }) => ident(name)).join(', ');
    const from = qualified(table.schema, table.relation);
    const twin = mirrorName(table);
    return {
      table: table.name,
      twin,
      out: `copy (select ${columns} from ${from}) to stdout`,
      in: `copy ${twin} (${columns}) from stdin`,
    };
  });
}
