import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { keyTextSql } from '../../connectors/postgres/root-sql.ts';
import { gapsOf } from '../../consumers/journal-gap.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import type { Model } from '../../consumers/model.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { JournalEntity } from '../../core/entity.ts';
import { uuidRange } from '../../core/uuid.ts';
import type { JournalProof, Listed } from './target-proof.ts';

/**
 * What the mirror and the lists can say of a journal. Its rows are what was seen, and the mirror
 * has only what is: a changed row of a journal is not found.
 */
export async function verifyJournal(
  client: pg.ClientBase,
  model: Model,
  journal: JournalEntity,
  maxListed: number,
): Promise<JournalProof> {
  const { name } = journal;
  const target = journal.targets[0] ?? '';
  const { first, last } = uuidRange(journal.identity);
  const [counts] = await textRows(
    client,
    `select (select count(*) from ${targetName(target)} where id between $2 and $3),
       (select count(*) from tandem.journal_waiting where entity = $1),
       (select count(*) from tandem.journal_last where entity = $1),
       (select count(*) from tandem.quarantine where entity = $1),
       (select count(*) from tandem.excluded where entity = $1)`,
    [name, first, last],
  );
  const [rows = 0, waiting = 0, keys = 0, refused = 0, excluded = 0] = (counts ?? []).map(Number);
  const listed = async (sql: string): Promise<Listed<string>> => {
    const found = await textRows(
      client,
      `select key, count(*) over () from (${sql}) as found (key) order by key limit $2`,
      [name, maxListed],
    );
    return { count: Number(found[0]?.[1] ?? 0), first: found.map(([key]) => key ?? '') };
  };
  const root = model.mirror.get(journal.shape.table.name);
  const rootKey = root?.columns.slice(0, root.keyLength).map((column) => column.name) ?? [];
  const orphans =
    root === undefined
      ? { count: 0, first: [] }
      : await listed(`select root_key from tandem.journal_last as seen
          where entity = $1 and not exists (select from ${mirrorName(root)} as r
            where ${keyTextSql('r', rootKey)} = seen.root_key)`);
  // An entry waits with the parents that it waits for, is not appended yet, and one of them is missing.
  const waitingWrongly = await listed(`
    select coalesce(entry.root_key, mark.root_key)
    from (select root_key from tandem.journal_waiting where entity = $1) as entry
    full join (select root_key, bool_or(not tandem.row_exists(parent_table, parent_id)) as lacks
      from tandem.held where entity = $1 group by root_key) as mark
      on mark.root_key = entry.root_key
    where entry.root_key is null or mark.lacks is not true or exists (
      select from ${targetName(target)} as row_now where row_now.id::text = entry.root_key)`);
  return {
    journal: name,
    target,
    rows,
    waiting,
    keys,
    missing: Math.max(0, keys - rows - waiting - refused - excluded),
    orphans,
    waitingWrongly,
    gaps: await gapsOf(client, name),
  };
}
