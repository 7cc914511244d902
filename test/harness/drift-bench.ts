import { expect } from 'vitest';
import { keepRunning } from '../../cli/keep-running.ts';
import { setUp } from '../../cli/setup.ts';
import { systemClock } from '../../cli/clock.ts';
import type { Config } from '../../cli/config.ts';
import { openClient } from '../../connectors/postgres/connection.ts';
import type { Mapping } from '../../core/entity.ts';
import type { TruncatePolicy } from '../../core/truncate-policy.ts';
import { uuidOf } from '../../core/uuid.ts';
import { walEnd } from '../../connectors/postgres/wal-position.ts';
import { formatLsn } from '../../core/version.ts';
import { hasCaughtUp } from '../../monitoring/lag.ts';
import { databaseOf, Notes } from './apply-bench.ts';
import {
  freshDatabase,
  freshPair,
  type Row,
  type TestDatabase,
  type TestPair,
} from './database.ts';
import { LEGACY, TARGET } from './drift-mapping.ts';
import { startWriters } from './drift-writers.ts';
import { newSeed } from './seed.ts';
import { waitFor } from './wait-for.ts';

export type Running = AsyncDisposable & { readonly stop: () => Promise<void> };

/** A small legacy system under traffic, and the engine as `tandem run` keeps it running. */
export class DriftBench implements AsyncDisposable {
  readonly pair: TestPair;
  readonly notes = new Notes();
  #entities: readonly string[] = [];
  #onTruncate: TruncatePolicy = { otherwise: 'stop', tables: new Map() };

  private constructor(pair: TestPair) {
    this.pair = pair;
  }

  static async open(): Promise<DriftBench> {
    const pair = await freshPair();
    await pair.source.query(LEGACY);
    await pair.target.query(TARGET);
    return new DriftBench(pair);
  }

  /** Another target for the same source. */
  static async beside({ source }: DriftBench): Promise<DriftBench> {
    const target = await freshDatabase({ on: 'target' });
    await target.query(TARGET);
    const end = () => target[Symbol.asyncDispose]();
    return new DriftBench({ source, target, [Symbol.asyncDispose]: end });
  }

  get source(): TestDatabase {
    return this.pair.source;
  }

  get target(): TestDatabase {
    return this.pair.target;
  }

  onTruncate(policy: TruncatePolicy): void {
    this.#onTruncate = policy;
  }

  config(): Config {
    return {
      source: databaseOf('source', this.source.connectionString),
      target: databaseOf('target', this.target.connectionString),
      sourceTls: 'disable',
      targetTls: 'disable',
      slot: this.source.name,
      publication: 'tandem',
      stream: 'tandem',
      mapping: null,
      migrations: null,
      batchMaxEvents: 200,
      batchMaxBytes: 1 << 20,
      maxRootsPerBatch: 500,
      memoryLimitBytes: 1 << 29,
      backfillWorkers: 2,
      chunkRows: 300,
      heartbeatSeconds: 1,
      statusSeconds: 1,
      onTruncate: this.#onTruncate,
      stopShare: 0.05,
      verifyEveryMs: null,
      metricsPort: null,
      metricsHost: '127.0.0.1',
      readySeconds: 30,
      kafka: null,
      logLevel: 'silent',
      logFormat: 'json',
    };
  }

  /** Starts the engine with this mapping, as `tandem run` does. */
  async run(mapping: Mapping): Promise<Running> {
    const config = this.config();
    const observer = this.notes;
    await this.setUp(mapping, false);
    const derived = mapping.entities.filter((entity) => entity.kind === 'derived');
    this.#entities = derived.map((entity) => entity.name);
    const over = new AbortController();
    const context = { config, mapping, observer, clock: systemClock, catalogueCheckMs: 200 };
    const ended = keepRunning(context, over.signal);
    ended.catch(() => undefined);
    const stop = async () => {
      over.abort();
      await ended;
    };
    return { stop, [Symbol.asyncDispose]: stop };
  }

  async setUp(
    mapping: Mapping,
    withdraw: boolean,
    slot: 'keep' | 'replace' = 'keep',
  ): Promise<void> {
    await setUp({
      config: this.config(),
      loaded: { mapping, migrationsFolder: null, controlViewsFile: null } as Parameters<
        typeof setUp
      >[0]['loaded'],
      slot,
      withdraw,
      observer: this.notes,
      report: () => undefined,
      waiting: () => undefined,
    });
  }

  writers(seed = newSeed(), pauseMs = 0) {
    return startWriters(this.source, seed, pauseMs);
  }

  /** All that the source has committed by now is in the target, and nothing is left to do. */
  async caughtUp(): Promise<void> {
    const { source, target } = this.config();
    const wanted = await this.#wanted();
    const from = await openClient(source, 'test');
    const to = await openClient(target, 'test');
    try {
      const end = formatLsn(await walEnd(from));
      await from.query(`select pg_logical_emit_message(false, 'test', '')`);
      const what = () =>
        `the stream to pass ${end}: ${JSON.stringify(this.notes.events.slice(-20))}`;
      await waitFor(() => hasCaughtUp(to, 'tandem', end, wanted), {
        timeoutMs: 30_000,
        what: 'x',
      }).catch(async (error: unknown) => {
        const left = await this.target.query(
          `select (select position from tandem.position), (select json_agg(j) from tandem.job j) as jobs,
               (select json_agg(m) from tandem.mirror m) as mirror`,
        );
        throw new Error(`${String(error)} ${what()} ${JSON.stringify(left)}`);
      });
    } finally {
      await Promise.all([from.end(), to.end()]);
    }
  }

  /** What is read and derived, as far as it has not stopped. */
  async #wanted() {
    const names = async (sql: string) =>
      (await this.target.query(sql)).map((row) => String(row['name']));
    return {
      tables: await names(
        `select table_name as name from tandem.mirror where state not in ('stopped', 'removed')`,
      ),
      entities: this.#entities,
    };
  }

  /** Waits until a table of the mirror is in this state. */
  async state(table: string, state: string, timeoutMs = 40_000): Promise<Row> {
    const ask = async () =>
      (
        await this.target.query(
          'select state, cause, reason from tandem.mirror where table_name = $1 and state = $2',
          [table, state],
        )
      )[0];
    return await waitFor(ask, { timeoutMs, what: `${table} to be ${state}` });
  }

  /** Waits for a row of the target; `from` is what stands behind "from". */
  async expectRow(from: string): Promise<void> {
    const there = async () => (await this.target.query(`select from ${from}`)).length > 0;
    await waitFor(there, { timeoutMs: 40_000, what: `a row of ${from}` });
  }

  async entityStates(): Promise<Record<string, unknown>> {
    const rows = await this.target.query('select name, state from tandem.entity order by name');
    return Object.fromEntries(rows.map((row) => [String(row['name']), row['state']]));
  }

  /** The mirror has the source's rows, value by value. */
  async expectMirror(table: string, columns: readonly string[]): Promise<void> {
    const list = columns
      .map((column) => (column === 'story' ? 'md5(story) as story' : `${column}::text`))
      .join(', ');
    const order = 'order by id';
    const there = await this.source.query(`select ${list} from ${table} ${order}`);
    const here = await this.target.query(
      `select ${list} from legacy.${table} where not _deleted ${order}`,
    );
    expect(differences(here, there)).toEqual([]);
  }

  /** The target's live rows are what the source's rows map to. */
  async expectTarget(options: { readonly with?: 'height' } = {}): Promise<void> {
    const offices = await this.source.query('select id, name, note from office order by id');
    const known = new Set(offices.map((row) => Number(row['id'])));
    expect(
      await this.target.query(
        'select id, name, note from offices where deleted_at is null order by id',
      ),
    ).toEqual(offices.map((row) => ({ ...row, id: uuidOf('office', BigInt(Number(row['id']))) })));
    const extra = options.with === undefined ? '' : ', height';
    const patients = await this.source.query(
      `select id, office_id, name, md5(story) as story${extra} from patient order by id`,
    );
    const found = await this.target.query(
      `select id, office_id, name, md5(story) as story${extra} from patients where deleted_at is null order by id`,
    );
    const expected = patients.map((row) => ({
      ...row,
      id: uuidOf('patient', BigInt(Number(row['id']))),
      office_id: known.has(Number(row['office_id']))
        ? uuidOf('office', BigInt(Number(row['office_id'])))
        : null,
    }));
    expect(differences(found, expected)).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pair[Symbol.asyncDispose]();
  }
}

/** The first rows that only one side has, for a message that can be read. */
function differences(found: readonly Row[], expected: readonly Row[]): readonly string[] {
  const here = new Set(found.map((row) => JSON.stringify(row)));
  const there = new Set(expected.map((row) => JSON.stringify(row)));
  return [
    ...[...here].filter((row) => !there.has(row)).map((row) => `found ${row}`),
    ...[...there].filter((row) => !here.has(row)).map((row) => `missing ${row}`),
  ].slice(0, 6);
}
