import type pg from 'pg';
import { execute, textRows } from '../../connectors/postgres/connection.ts';
import { ident, literal } from '../../connectors/postgres/sql.ts';
import { TandemError } from '../../core/errors.ts';

/** The comment of a schema by which it is known again. */
const markOf = (stream: string) => `tandem shadow of stream ${stream}: `;
const WHAT = 'target rows as a mapping would make them; nobody reads it, drop it as you like';

/** The table of a shadow that says which rows differ from the live ones, and in which columns. */
export const CHANGES = 'tandem_changes';

/**
 * Makes sure that a session may make this schema, or replace it: it is not there, or a shadow of the
 * stream. Until the session ends nobody else of us fills it.
 *
 * @throws TandemError `SHADOW_REFUSED`
 */
export async function claimShadow(
  client: pg.ClientBase,
  schema: string,
  stream: string,
): Promise<void> {
  const [row] = await textRows(
    client,
    `select pg_try_advisory_lock(hashtextextended('tandem shadow ' || $1, 0)),
       has_database_privilege(current_database(), 'create'),
       (select coalesce(starts_with(obj_description(oid, 'pg_namespace'), $2), false)
        from pg_namespace where nspname = $1)`,
    [schema, markOf(stream)],
  );
  const [isFree, mayCreate, isOurs] = row ?? [];
  const refuse = (reason: string) => new TandemError('SHADOW_REFUSED', { schema, reason });
  if (isFree !== 't') throw refuse('another run is filling it');
  if (isOurs === 'f') throw refuse('it is there, and is no shadow of this stream');
  if (mayCreate !== 't') throw refuse('the role may not create schemas in the target');
}

/** Makes it anew, in the caller's transaction. */
export async function makeShadow(
  client: pg.ClientBase,
  schema: string,
  stream: string,
): Promise<void> {
  const name = ident(schema);
  await execute(client, `drop schema if exists ${name} cascade`);
  await execute(client, `create schema ${name}`);
  await execute(client, `comment on schema ${name} is ${literal(markOf(stream) + WHAT)}`);
  await execute(
    client,
    `create table ${name}.${CHANGES} (
       entity text not null, root_key text not null, target_table text not null,
       id uuid not null, change text not null, columns text[] not null)`,
  );
}

/** The shadows of a stream. */
export async function listShadows(client: pg.ClientBase, stream: string): Promise<string[]> {
  const rows = await textRows(
    client,
    `select nspname from pg_namespace
     where starts_with(obj_description(oid, 'pg_namespace'), $1) order by 1`,
    [markOf(stream)],
  );
  return rows.map(([schema]) => schema ?? '');
}

export async function dropShadow(client: pg.ClientBase, schema: string): Promise<void> {
  await execute(client, `drop schema if exists ${ident(schema)} cascade`);
}
