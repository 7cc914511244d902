import { join } from 'node:path';
import type { ProofReport } from '../../proof/report.ts';
import { accountFaults, targetFaults } from '../../proof/report.ts';
import { freshPair, type TestPair } from '../harness/database.ts';
import { LEGACY_SCHEMA, TARGET_SCHEMA } from '../harness/small-schema.ts';
import { TandemProcess, tandem } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import { Workplace } from './cli-run.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** The small mapping, with an amount that is carried unchanged. */
const MAPPING = `
  import { SMALL_MAPPING } from '${ROOT}/test/harness/small-mapping.ts';
  const entities = SMALL_MAPPING.entities.map((it) =>
    it.name === 'sample' ? { ...it, sums: { exact: 'exact' } } : it);
  export default { ...SMALL_MAPPING, entities };`;

/** Every outcome, and some rows to lose. */
const LEGACY = `
  insert into auth_user (id, name, email) select i, name, name || '@x' from unnest(array[
    'ada', 'ben', 'eva', 'robot', 'rejected', 'boom', 'forbidden', 'zoe', 'yan'
  ]) with ordinality as given (name, i);
  insert into office values (1, 'north', null), (2, 's', 9), (3, 'east', 1), (4, 'west', 1);
  insert into office select i, 'office ' || i, null from generate_series(11, 30) i;
  insert into patient values (1, 1, 1, 2, 'a'), (2, 2, 8, null, null), (3, 77, 1, 2, 'held'),
    (4, 3, 2, null, 'd');
  insert into jaw values (1, 'upper'), (2, 'lower');
  insert into instruction values (1, 1, 1, 'n1', 'x', 1, null), (2, 1, 2, 'n2', 'y', null, 7),
    (3, 2, 2, 'n3', 'z', null, null);
  insert into office_user values (1, 1, 'l'), (1, 2, null);
  insert into sample (id, exact, wide) values (1, 1.50, 'a'), (2, 2.25, 'b'), (3, 100, 'c');`;

type Found = { readonly code: number; readonly report: ProofReport };

/** A pair of servers with a process that streams between them, and the command beside it. */
export class FaultsBench implements AsyncDisposable {
  readonly pair: TestPair;
  readonly work: Workplace;
  #run: TandemProcess | null = null;

  private constructor(pair: TestPair, work: Workplace) {
    this.pair = pair;
    this.work = work;
  }

  static async open(settings: Readonly<Record<string, string>> = {}): Promise<FaultsBench> {
    const pair = await freshPair();
    await pair.source.query(LEGACY_SCHEMA);
    await pair.source.query(LEGACY);
    const work = new Workplace({
      SOURCE_URL: pair.source.connectionString,
      TARGET_URL: pair.target.connectionString,
      TANDEM_SLOT: pair.source.name,
      HEARTBEAT_SECONDS: '1',
      CHUNK_ROWS: '100',
      LOG_LEVEL: 'info',
      // Made by the mapping's folder of migrations, where a Supabase project has them.
      MIGRATIONS: './migrations',
      MAPPING: './mapping.ts',
      ...settings,
    });
    work.write('mapping.ts', MAPPING);
    work.write('migrations/20260101000000_tables.sql', `set search_path = public;${TARGET_SCHEMA}`);
    const bench = new FaultsBench(pair, work);
    await bench.start();
    return bench;
  }

  get #settings() {
    const { environment, folder } = this.work;
    return {
      ...environment,
      MAPPING: join(folder, 'mapping.ts'),
      MIGRATIONS: join(folder, 'migrations'),
    };
  }

  async start(): Promise<void> {
    this.#run = new TandemProcess(['run'], this.#settings);
    // Before that it may have caught up, and not have taken the stream over.
    await waitFor(async () => this.log.includes('"stream.started"'), {
      what: 'the stream',
      timeoutMs: 30_000,
    });
    await this.caughtUp();
  }

  /** What the process that streams has said. */
  get log(): string {
    return this.#run?.output ?? '';
  }

  async stop(): Promise<void> {
    await this.#run?.stop('SIGTERM');
    this.#run = null;
  }

  async caughtUp(): Promise<void> {
    const { code, output } = await tandem(['status', '--caught-up'], this.#settings);
    if (code !== 0) throw new Error(`${output}${this.#run?.output}`);
  }

  source(sql: string) {
    return this.pair.source.query(sql);
  }

  /** Somebody's hand in the target: no trigger, no check of a foreign key. */
  async target(sql: string) {
    const client = await this.pair.target.client();
    await client.query(`begin; set local search_path = public;
      set local session_replication_role = replica; ${sql}; commit`);
  }

  /** As if the engine had derived these roots from what the mirror says. */
  async derive(roots: Readonly<Record<string, readonly string[]>>): Promise<void> {
    for (const [entity, keys] of Object.entries(roots)) {
      await this.pair.target.query(
        `insert into tandem.job (entity, values, reason) values ($1, $2, 'test')`,
        [entity, keys],
      );
    }
    await waitFor(
      async () => (await this.pair.target.query('select from tandem.job')).length === 0,
      { what: 'the jobs', timeoutMs: 30_000 },
    );
  }

  async verify(...argv: string[]): Promise<Found> {
    const { code, out, err } = await this.work.run('verify', '--json', ...argv);
    if (out === '') throw new Error(`verify printed nothing: ${err}`);
    return { code, report: JSON.parse(out) as ProofReport };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run?.stop('SIGKILL');
    this.work[Symbol.dispose]();
    await this.pair[Symbol.asyncDispose]();
  }
}

/** Which of the three checks found something. */
export function foundBy({ mirror, target, account }: ProofReport): string[] {
  return [
    ...(mirror.tables.some(({ mismatches }) => mismatches.length > 0) ? ['mirror'] : []),
    ...(target !== null && targetFaults(target) > 0 ? ['target'] : []),
    ...(account !== null && accountFaults(account) > 0 ? ['account'] : []),
  ];
}
