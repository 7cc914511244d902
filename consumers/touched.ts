import type pg from 'pg';
import { preparedRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import type { ChangeEvent } from '../core/change-event.ts';
import { keyParts, keyText, type MirrorTable } from '../core/mirror-table.ts';
import type { Usage } from '../core/usage.ts';
import { addJob, usageName } from './jobs.ts';
import { mirrorName } from './mirror-schema.ts';
import type { Model } from './model.ts';

/** The way from changed rows to roots that read them: `usage` null, the values are root keys. */
export type Way = {
  readonly entity: string;
  readonly usage: Usage | null;
  readonly values: readonly string[];
};

/**
 * Which roots rows lead to, whether or not the rows are as they were: from the values that a message
 * gives, and from those that the mirror has now.
 */
export class Touched {
  readonly #model: Model;
  readonly #values = new Map<Usage, Set<string>>();
  /** Values that are kept at present. */
  size = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  async note(client: pg.ClientBase, events: readonly ChangeEvent[]): Promise<void> {
    for (const table of new Set(events.map((event) => event.table))) {
      const usages = this.#model.usagesOf.get(table.name) ?? [];
      const mine = events.filter((event) => event.table === table && event.kind !== 'truncate');
      const keys = mine.map((event) => keyText(table, keyOf(event)));
      for (const usage of usages) {
        if (usage.climb.length === 0) this.#add(usage, keys);
        else await this.#addValues(client, table, usage, mine, keys);
      }
    }
  }

  async #addValues(
    client: pg.ClientBase,
    table: MirrorTable,
    usage: Usage,
    events: readonly ChangeEvent[],
    keys: readonly string[],
  ): Promise<void> {
    const index = table.columns.findIndex(({ name }) => name === usage.via);
    if (index < table.keyLength) {
      this.#add(
        usage,
        events.map((event) => keyOf(event)[index] ?? null),
      );
      return;
    }
    const given = events.map((event) => ('row' in event ? (event.row[index] ?? null) : null));
    this.#add(usage, given);
    this.#add(usage, await mirrorValues(client, table, usage.via ?? '', keys));
  }

  #add(usage: Usage, values: readonly (string | null)[]): void {
    let known = this.#values.get(usage);
    if (known === undefined) this.#values.set(usage, (known = new Set()));
    const before = known.size;
    for (const value of values) if (value !== null) known.add(value);
    this.size += known.size - before;
  }

  /** All that is kept, and forgets it. */
  take(): readonly Way[] {
    const ways = [...this.#values].flatMap(([usage, values]) =>
      values.size === 0
        ? []
        : [
            {
              entity: usage.entity,
              usage: usage.climb.length === 0 ? null : usage,
              values: [...values],
            },
          ],
    );
    this.#values.clear();
    this.size = 0;
    return ways;
  }
}

/** Records jobs for the roots that these ways lead to; returns their ids. */
export async function addJobsFor(
  client: pg.ClientBase,
  ways: readonly Way[],
  reason: string,
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const { entity, usage, values } of ways) {
    const name = usage === null ? null : usageName(usage);
    ids.push(await addJob(client, { entity, usage: name, values, reason }));
  }
  return ids;
}

function keyOf(event: ChangeEvent): readonly (string | null | undefined)[] {
  if (event.kind === 'truncate') return [];
  return event.kind === 'delete' ? event.key : event.row;
}

async function mirrorValues(
  client: pg.ClientBase,
  table: MirrorTable,
  column: string,
  keys: readonly string[],
): Promise<readonly string[]> {
  const key = table.columns.slice(0, table.keyLength);
  const parts = keys.map((text) => keyParts(table, text));
  const names = key.map(({ name }) => ident(name)).join(', ');
  const arrays = key.map(({ type }, i) => `$${i + 1}::text[]::${type}[]`).join(', ');
  const rows = await preparedRows(
    client,
    `select distinct ${ident(column)} from ${mirrorName(table)}
     where (${names}) in (select * from unnest(${arrays})) and ${ident(column)} is not null`,
    key.map((_, i) => arrayLiteral(parts.map((part) => part[i] ?? null))),
  );
  return rows.map(([value]) => value ?? '');
}
