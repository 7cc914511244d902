import type pg from 'pg';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import { qualified } from '../connectors/postgres/sql.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import type { StoredStream } from '../connectors/postgres/judge-slot.ts';
import { TandemError } from '../core/errors.ts';
import type { Position } from '../core/ports.ts';
import { parseLsn, type Lsn } from '../core/version.ts';
import { openGap } from './journal-gap.ts';

/** Where the stream stands, as this process last saw or wrote it. */
export type Cursor = { position: Position; readonly epoch: bigint };

/** What the target remembers of the source and the slot that it is fed from. */
export type StoredPosition = {
  readonly stream: string;
  readonly position: Position;
  readonly slot: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** The slot's consistent point: the version of every row that the backfill copies. */
  readonly consistentPoint: Lsn;
  /** The least that the first transaction of a connector, which tells no commit before it, counts as. */
  readonly connectorBegan: Lsn;
  readonly mode: StreamMode;
};

/** How the changes come: from the slot, or through a log that somebody writes from the slot. */
export type StreamMode = 'direct' | 'kafka';

/** Null where the stream was never set up (or the control schema is not there). */
export async function readPosition(
  client: pg.ClientBase,
  stream: string,
): Promise<StoredPosition | null> {
  const [there] = await textRows(client, `select to_regclass('tandem.position') is not null`);
  if (there?.[0] !== 't') return null;
  const [row] = await textRows(
    client,
    `select position, slot, system_identifier, timeline, consistent_point, mode,
       coalesce(connector_began, consistent_point)
     from tandem.position where stream = $1`,
    [stream],
  );
  if (row === undefined) return null;
  const [position, slot, systemIdentifier, timeline, consistentPoint, mode, began] = row;
  return {
    stream,
    position: (position ?? '') as Position,
    slot: slot ?? '',
    systemIdentifier: systemIdentifier ?? '',
    timeline: Number(timeline),
    consistentPoint: parseLsn(consistentPoint ?? ''),
    connectorBegan: parseLsn(began ?? ''),
    mode: mode === 'kafka' ? 'kafka' : 'direct',
  };
}

/** What `judgeSlot` compares with the source: the position, and how far the copy has read. */
export async function readMemory(
  client: pg.ClientBase,
  stored: StoredPosition,
): Promise<StoredStream> {
  const [row = []] = await textRows(
    client,
    `select max(read_until), bool_or(loaded_at is null and exists (
       select from tandem.chunk where subject = table_name and stage <> 'derive'
         and finished_at is not null))
     from tandem.mirror`,
  );
  const [readUntil, isHalfCopied] = row;
  const position = parseLsn(stored.position);
  return {
    ...stored,
    position,
    readUntil: isHalfCopied === 't' ? null : readUntil ? parseLsn(readUntil) : position,
  };
}

/**
 * Notes that the source goes on on another timeline, once it is known that everything here happened
 * there too. Not where the position has moved since: that has to be judged again.
 */
export async function followTimeline(
  client: pg.ClientBase,
  stored: StoredPosition,
  timeline: number,
): Promise<void> {
  await execute(
    client,
    `update tandem.position set timeline = $4 where stream = $1 and timeline = $2 and position = $3`,
    [stored.stream, stored.timeline, stored.position, timeline],
  );
}

/**
 * Remembers a slot that was just made. A mirror that was fed from an earlier slot has a gap: all of
 * it has to be loaded and derived again.
 */
export async function storePosition(
  client: pg.ClientBase,
  stored: Pick<StoredPosition, 'stream' | 'slot' | 'systemIdentifier' | 'timeline'> & {
    readonly consistentPoint: string;
    /** Where the stream begins. Default: at the consistent point. */
    readonly position?: string;
    /** Default: null, which is the consistent point. */
    readonly connectorBegan?: string;
  },
): Promise<void> {
  const { stream, slot, systemIdentifier, timeline, consistentPoint } = stored;
  const { position = consistentPoint, connectorBegan = null } = stored;
  await inTransaction(client, async () => {
    // Mirror and chunks belong to one stream: another one would start them over.
    const [other] = await textRows(
      client,
      'select stream from tandem.position where stream <> $1',
      [stream],
    );
    if (other !== undefined) {
      throw new TandemError('STREAM_TAKEN', { stream, present: other[0] ?? '' });
    }
    // What the slot before it did not bring is gone for those who see a change once.
    const seeing = await textRows(
      client,
      `select distinct entity from tandem.journal_last
       where exists (select from tandem.position where stream = $1)`,
      [stream],
    );
    const journals = seeing.map(([journal]) => journal ?? '');
    await openGap(client, journals, 'the slot was made anew');
    await execute(
      client,
      `insert into tandem.position (stream, position, slot, system_identifier, timeline,
         consistent_point, connector_began)
       values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (stream) do update set position = excluded.position, epoch = position.epoch + 1,
         slot = excluded.slot, system_identifier = excluded.system_identifier,
         timeline = excluded.timeline, consistent_point = excluded.consistent_point,
         connector_began = excluded.connector_began,
         heartbeat_at = null, heartbeat_lag = null, committed_at = null, noted_at = null,
         updated_at = now()`,
      [stream, position, slot, systemIdentifier, timeline, consistentPoint, connectorBegan],
    );
    await forgetNewer(client, consistentPoint);
    await execute(client, 'delete from tandem.chunk');
    // Of another log, or with a gap: the versions of rows say nothing of those times any more.
    await execute(client, 'delete from tandem.moment');
    await execute(
      client,
      `update tandem.mirror set loaded_at = null, read_until = null, ahead_until = null, joins_at = null,
         state = case when state in ('waiting', 'joining') then 'active' else state end`,
    );
    await execute(client, 'update tandem.entity set derived_at = null');
  });
}

/**
 * A source that lost WAL counts on from an earlier position, and another server from one of its own:
 * what the mirror holds would seem newer than all that will be read. Where there is no such row,
 * which is the usual case, nothing is written.
 */
async function forgetNewer(client: pg.ClientBase, consistentPoint: string): Promise<void> {
  const tables = await textRows(
    client,
    `select m.table_name from tandem.mirror m
     join pg_class c on c.oid = to_regclass(format('legacy.%I', m.table_name))`,
  );
  for (const [table] of tables) {
    await execute(
      client,
      `update ${qualified('legacy', table ?? '')} set _commit_lsn = '0/0', _change_lsn = '0/0'
       where _commit_lsn >= $1`,
      [consistentPoint],
    );
  }
}

/** Takes the stream over: every process that had it before writes nothing more. */
export async function takeOver(client: pg.ClientBase, stream: string): Promise<Cursor> {
  const [row] = await textRows(
    client,
    `update tandem.position set epoch = epoch + 1, mode = 'direct' where stream = $1 returning position, epoch`,
    [stream],
  );
  if (row === undefined) throw new TandemError('NOT_SET_UP', { stream });
  return { position: (row[0] ?? '') as Position, epoch: BigInt(row[1] ?? '0') };
}

/**
 * Joins those who bring the stream through a log. The first one ends the process that had the slot:
 * that one writes nothing more.
 */
export async function joinLog(client: pg.ClientBase, stream: string): Promise<Cursor> {
  await execute(
    client,
    `update tandem.position set epoch = epoch + 1, mode = 'kafka' where stream = $1 and mode <> 'kafka'`,
    [stream],
  );
  return await readCursor(client, stream);
}

/** Where the stream stands and who has it, without taking it over. */
export async function readCursor(client: pg.ClientBase, stream: string): Promise<Cursor> {
  const [row] = await textRows(
    client,
    'select position, epoch from tandem.position where stream = $1',
    [stream],
  );
  if (row === undefined) throw new TandemError('NOT_SET_UP', { stream });
  return { position: (row[0] ?? '') as Position, epoch: BigInt(row[1] ?? '0') };
}

/** By table: up to where single rows may be newer than the stream, which were read by key. */
export async function aheadUntil(client: pg.ClientBase): Promise<Map<string, Lsn>> {
  const rows = await textRows(
    client,
    'select table_name, greatest(read_until, ahead_until) from tandem.mirror',
  );
  return new Map(
    rows.flatMap(([name, lsn]) => (lsn == null ? [] : [[name ?? '', parseLsn(lsn)] as const])),
  );
}

/** By table: up to where its copy may be newer than the stream. */
export async function readUntil(client: pg.ClientBase): Promise<Map<string, Lsn>> {
  const rows = await textRows(
    client,
    'select table_name, read_until from tandem.mirror where read_until is not null',
  );
  return new Map(rows.map((row) => [row[0] ?? '', parseLsn(row[1] ?? '')]));
}
