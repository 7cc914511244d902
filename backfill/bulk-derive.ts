import { finished } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import {
  openClient,
  statementError,
  textRows,
  type Database,
  type TextRow,
} from '../connectors/postgres/connection.ts';
import { rangeCondition } from '../connectors/postgres/key-range.ts';
import { arrayLiteral, copyField, ident } from '../connectors/postgres/sql.ts';
import { rootTable } from '../consumers/affected.ts';
import type { Deriver } from '../consumers/derive.ts';
import { forgetAccepted } from '../consumers/accepted.ts';
import { addJob } from '../consumers/jobs.ts';
import { mapImages, type Mapped, type PlannedRow } from '../consumers/map-roots.ts';
import { syncMarks } from '../consumers/marks.ts';
import { markDerivedAnew } from '../consumers/mapping-state.ts';
import { mirrorName } from '../consumers/mirror-schema.ts';
import type { Model, TargetTable } from '../consumers/model.ts';
import type { Resolved } from '../consumers/resolve.ts';
import { reasonToStop, stopEntity } from '../consumers/stop-share.ts';
import { encodeRow, targetName, type RowWriter } from '../consumers/write-rows.ts';
import type { DerivedEntity } from '../core/entity.ts';
import { TandemError, type ErrorCode } from '../core/errors.ts';
import { keyText } from '../core/mirror-table.ts';
import type { Observer } from '../core/ports.ts';
import {
  chunkBounds,
  finishChunk,
  openChunks,
  recordChunks,
  takeChunk,
  type Chunk,
} from './chunks.ts';
import { eachWithWorkers } from './workers.ts';

export type DeriveContext = {
  readonly target: Database;
  readonly model: Model;
  readonly deriver: Deriver;
  readonly workers: number;
  /** Root rows a portion: what is in memory at a time, for each worker. */
  readonly portionRows: number;
  /** Share of an entity's roots in quarantine above which it stops. */
  readonly stopShare: number;
  readonly observer: Observer;
  readonly signal: AbortSignal;
};

/**
 * Stage 2 for one entity whose target tables were empty: roots with their relations from the
 * mirror, through `map`, by COPY into the target. References are written without asking whether
 * their parent exists; `settleReferences` looks once everything is there, and the foreign keys,
 * which are set aside meanwhile, are made again after that.
 *
 * @returns the roots derived; null where so many were refused that the entity has stopped
 */
export async function bulkDerive(
  context: DeriveContext,
  entity: DerivedEntity,
): Promise<number | null> {
  const { model, target, observer } = context;
  const table = rootTable(model, entity.name);
  const planner = await openClient(target, 'derive');
  let done: number;
  let open: readonly Chunk[];
  let total: number;
  try {
    const known = await openChunks(planner, 'derive', entity.name);
    if (!known.planned) {
      const from = `${mirrorName(table)} where not _deleted`;
      const bounds = await chunkBounds(planner, { from, table }, context.portionRows);
      for (const list of LISTS) {
        await planner.query(`delete from tandem.${list} where entity = $1`, [entity.name]);
      }
      await markDerivedAnew(planner, entity.name);
      await recordChunks(planner, 'derive', entity.name, bounds);
    }
    ({ open, doneRows: done } = await openChunks(planner, 'derive', entity.name));
    const [row] = await textRows(
      planner,
      'select greatest(reltuples, 0)::bigint from pg_class where oid = $1::regclass',
      [mirrorName(table)],
    );
    total = Number(row?.[0] ?? 0);
  } finally {
    await planner.end();
  }
  let isStopped = false;
  await eachWithWorkers({
    items: open,
    workers: context.workers,
    signal: context.signal,
    open: () => openClient(target, 'derive'),
    close: (client) => client.end(),
    async run(client, chunk) {
      if (isStopped) return;
      const chunkDone = await deriveChunk(context, client, entity, chunk);
      // Behind the commit: whichever worker comes last sees what all of them had refused.
      if (chunkDone.refused > 0) {
        const reason = await reasonToStop(client, model, entity.name, context.stopShare);
        if (reason !== null && !isStopped) {
          isStopped = true;
          await stopEntity(client, observer, entity.name, reason);
        }
      }
      done += chunkDone.roots;
      observer.progress('derive', entity.name, done, Math.max(total, done));
    },
  });
  return isStopped ? null : done;
}

type ChunkDone = { readonly roots: number; readonly refused: number };

/** What an earlier life of the entity left there is not true of its new rows. */
const LISTS = ['held', 'unresolved', 'excluded', 'quarantine', 'issue', 'yielded'] as const;

/** Failures behind which one row may stand. */
const MAY_BE_ONE_ROW: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TARGET_FAILED',
  'MAPPING_INVALID',
  'TABLE_MISSING',
]);

async function deriveChunk(
  context: DeriveContext,
  client: pg.Client,
  entity: DerivedEntity,
  chunk: Chunk,
): Promise<ChunkDone> {
  const { model, deriver } = context;
  const loader = deriver.loader(entity.name);
  let images: readonly TextRow[] = [];
  try {
    await client.query('begin');
    if (!(await takeChunk(client, chunk))) {
      await client.query('rollback');
      return { roots: 0, refused: 0 };
    }
    images = await textRows(
      client,
      `select ${loader.root.columns.map(({ name }) => ident(name)).join(', ')}
       from ${mirrorName(loader.root)}
       where not _deleted and ${rangeCondition(loader.root, chunk, (column) => column.type)}`,
    );
    const mapped = await mapImages(client, entity, loader, images);
    await copyMapped(context, client, entity, mapped);
    await noteMarks(client, model, entity, mapped);
    const held = mapped.filter(({ outcome }) => outcome.kind === 'held');
    if (held.length > 0) await deriveLater(client, entity, 'held', held);
    await finishChunk(client, chunk, images.length);
    await client.query('commit');
    const refused = mapped.filter(({ outcome }) => outcome.kind === 'refused').length;
    return { roots: images.length, refused };
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    const named = statementError('target', error, `derive ${entity.name}`);
    if (!MAY_BE_ONE_ROW.has(named.code) || images.length === 0) throw named;
    const facts = { entity: entity.name, chunk: chunk.number, error: named.message };
    context.observer.event('chunk refused, narrowing down by a job', facts, 'warn');
  }
  const roots = images.map((image) => ({ key: keyText(loader.root, image) }));
  try {
    await client.query('begin');
    if (await takeChunk(client, chunk)) {
      await deriveLater(client, entity, 'a row of the chunk was refused', roots);
      await finishChunk(client, chunk, images.length);
    }
    await client.query('commit');
    return { roots: images.length, refused: 0 };
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw statementError('target', error, `derive ${entity.name}`);
  }
}

/** The ordinary way finds refused rows one by one, and holds what has to wait. */
async function deriveLater(
  client: pg.ClientBase,
  entity: DerivedEntity,
  reason: string,
  roots: readonly { readonly key: string }[],
): Promise<void> {
  const values = roots.map(({ key }) => key);
  await addJob(client, { entity: entity.name, usage: null, values, reason });
}

async function copyMapped(
  context: DeriveContext,
  client: pg.Client,
  entity: DerivedEntity,
  mapped: readonly Mapped[],
): Promise<void> {
  const byTable = new Map<string, { key: string; planned: PlannedRow }[]>();
  for (const { key, outcome } of mapped) {
    if (outcome.kind !== 'rows') continue;
    for (const planned of outcome.rows) {
      const rows = byTable.get(planned.table);
      if (rows === undefined) byTable.set(planned.table, [{ key, planned }]);
      else rows.push({ key, planned });
    }
  }
  for (const [name, rows] of byTable) {
    const table = context.model.targets.get(name);
    if (table === undefined)
      throw new TandemError('TABLE_MISSING', { side: 'target', table: name });
    const writer = context.deriver.writerFor(
      entity,
      table,
      rows.map((row) => row.planned),
    );
    await copyRows(
      client,
      table,
      writer,
      rows.map((row) => row.planned),
    );
    if (entity.fanOut) {
      await client.query(
        `insert into tandem.yielded (entity, root_key, target_table, target_id)
         select $1, key, $2, id from unnest($3::text[], $4::uuid[]) as row_of (key, id)
         on conflict do nothing`,
        [
          entity.name,
          name,
          arrayLiteral(rows.map((row) => row.key)),
          arrayLiteral(rows.map((row) => row.planned.id)),
        ],
      );
    }
  }
}

/** So much text goes to the server at a time. */
const PART_LENGTH = 1 << 18;

async function copyRows(
  client: pg.Client,
  table: TargetTable,
  writer: RowWriter,
  rows: readonly PlannedRow[],
): Promise<void> {
  const columns = writer.columns.map((column) => ident(column.name)).join(', ');
  const stream = client.query(copyFrom(`copy ${targetName(table.name)} (${columns}) from stdin`));
  const end = finished(stream);
  // The stream's error arrives through `end`, also when it comes while a part is being written.
  end.catch(() => undefined);
  let part = '';
  try {
    for (const { row } of rows) {
      const cells = encodeRow(table, writer.columns, row);
      for (let i = 0; i < cells.length; i++) {
        if (i > 0) part += '\t';
        part += copyField(cells[i] ?? null);
      }
      part += '\n';
      if (part.length >= PART_LENGTH) {
        if (!stream.write(part)) await Promise.race([drained(stream), end]);
        part = '';
      }
    }
  } catch (error) {
    // The server waits for the rest until it is told that there is none; so would the rollback.
    stream.destroy(error instanceof Error ? error : undefined);
    await end.catch(() => undefined);
    throw error;
  }
  stream.end(part);
  await end;
}

const drained = (stream: NodeJS.WritableStream) =>
  new Promise<void>((resolve) => stream.once('drain', resolve));

async function noteMarks(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  mapped: readonly Mapped[],
): Promise<void> {
  const fine = mapped.filter(({ outcome }) => outcome.kind !== 'refused').map(({ key }) => key);
  await forgetAccepted(client, entity.name, fine);
  const marked = mapped.filter(
    ({ outcome }) => outcome.kind !== 'rows' || outcome.issues.length > 0,
  );
  if (marked.length === 0) return;
  const roots = marked.map(({ key, outcome }): Resolved => ({
    key,
    mapped: outcome,
    unresolved: [],
    heldBy: [],
  }));
  // The lists were emptied before; what a person has decided stays.
  await syncMarks(client, model, entity, roots, new Set(['accepted']));
}
