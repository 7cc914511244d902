import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { acceptedRule } from '../../consumers/accepted.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import type { Sink } from './findings.ts';

/**
 * Compares who is left out because a person accepted it with the decisions themselves: without one
 * a root is left out by nobody, and one that nothing is left out by is not counted.
 */
export async function checkDecisions(
  client: pg.ClientBase,
  entity: DerivedEntity,
  findings: Sink,
): Promise<void> {
  const rows = await textRows(
    client,
    `select coalesce(mark.root_key, decision.root_key), mark.rule,
       $2::text || decision.error_class
     from (select root_key, rule from tandem.excluded
       where entity = $1 and starts_with(rule, $2)) as mark
     full join (select root_key, error_class from tandem.accepted where entity = $1) as decision
       on decision.root_key = mark.root_key and $2::text || decision.error_class = mark.rule
     where mark.root_key is null or decision.root_key is null`,
    [entity.name, acceptedRule('')],
  );
  for (const [root, rule, lacking] of rows) {
    const kind = rule == null ? 'missing' : 'extra';
    findings.mark({ list: 'excluded', kind, root: root ?? '', of: rule ?? lacking ?? null });
  }
}
