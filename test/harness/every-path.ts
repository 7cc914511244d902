import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { TestDatabase } from './database.ts';
import { endState } from './end-state.ts';
import { PATHS, type Path } from './paths.ts';
import { TYPE_COLUMNS, TYPES_OF_SOURCE, TYPES_OF_TARGET } from './small-and-types-mapping.ts';
import { SmallPath } from './small-path.ts';
import { SmallWorld } from './small-world.ts';
import { tandem, type Settings, type TandemProcess } from './tandem-process.ts';

const MAPPING = fileURLToPath(new URL('./small-and-types-mapping.ts', import.meta.url));
/** Whoever of them starts first makes the processor wait for the others. */
const OPEN_MS = 120_000;

/** One of the ways, with a target of its own and a process. */
export class Lane {
  readonly path: Path;
  readonly way: SmallPath;
  child: TandemProcess;

  constructor(path: Path, way: SmallPath) {
    this.path = path;
    this.way = way;
    this.child = way.run();
  }

  get world(): SmallWorld {
    return this.way.world;
  }

  /** Ends the process, and starts one with these settings beside those of the way. */
  async restart(settings: Settings = {}, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.child.stop(signal);
    this.child = this.way.run(settings);
  }

  /** Ends without a word who applies, and who writes the log, and starts them again. */
  async crash(): Promise<void> {
    await Promise.all([this.restart({}, 'SIGKILL'), this.way.relay?.stop('SIGKILL')]);
    this.way.relay?.start();
  }

  /** A command of `tandem`, which has to end with this code; returns what it prints. */
  async does(wanted: number, ...args: string[]): Promise<string> {
    const { code, output } = await tandem(args, this.way.settings);
    expect(code, `${args.join(' ')}: ${output}`).toBe(wanted);
    return output;
  }
}

/**
 * One source, and from it every way to a target of its own: what is written once has to come the
 * same through all of them.
 */
export class EveryPath implements AsyncDisposable {
  readonly lanes: readonly Lane[];
  readonly seed: number;

  private constructor(seed: number, lanes: readonly Lane[]) {
    this.seed = seed;
    this.lanes = lanes;
  }

  /** Their processes are running and have caught up. */
  static async open(seed: number, settings: Settings = {}): Promise<EveryPath> {
    const first = await SmallWorld.open({ seed });
    await first.source.query(TYPES_OF_SOURCE);
    const opened = await Promise.allSettled(
      PATHS.map(async (path, i) => {
        const world = i === 0 ? first : await SmallWorld.beside(first);
        await world.target.query(TYPES_OF_TARGET);
        const given = { MAPPING, ...settings };
        return new Lane(path, await SmallPath.through(path, world, { settings: given }));
      }),
    );
    const lanes = opened.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
    const every = new EveryPath(seed, lanes);
    try {
      for (const it of opened) if (it.status === 'rejected') throw it.reason;
      await every.each(({ world, child }) => world.caughtUp(child, OPEN_MS));
      return every;
    } catch (error) {
      await every[Symbol.asyncDispose]();
      throw error;
    }
  }

  get source(): TestDatabase {
    return this.#first.world.source;
  }

  async write(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.source.query(sql, values);
  }

  /** Does the same with all, side by side; a failure names the path. */
  async each(work: (lane: Lane) => Promise<unknown>): Promise<void> {
    await Promise.all(
      this.lanes.map((lane) =>
        Promise.resolve(work(lane)).catch((error: unknown) => {
          const reason = error instanceof Error ? error.message : String(error);
          const relay = lane.way.relay === null ? '' : `; the relay: ${lane.way.relay.now.output}`;
          throw new Error(`${lane.path}, seed ${this.seed}: ${reason}${relay}`, { cause: error });
        }),
      ),
    );
  }

  /** All that the source has committed by now is in each target, and right. */
  arrived(timeoutMs?: number): Promise<void> {
    return this.each(({ way, child }) => way.expectArrived(child, timeoutMs));
  }

  /** What the targets hold is the same, row by row. Nothing may be under way. */
  async expectSameEverywhere(): Promise<void> {
    const wanted = await endState(this.#first.world);
    await this.each(async ({ world }) => expect(await endState(world)).toEqual(wanted));
  }

  /** The table with a column of every type, as text: in the target as in the source. */
  async expectTypes(): Promise<void> {
    const columns = (id: string) =>
      [id, ...TYPE_COLUMNS.map((name) => `${name}::text as ${name}`)].join(', ');
    const from = `select ${columns('id')} from every_type order by 1`;
    const into = `select ${columns('legacy_id as id')} from every_types
      where deleted_at is null order by 1`;
    const wanted = await this.source.query(from);
    expect(wanted.length).toBeGreaterThan(10);
    await this.each(async ({ world }) => {
      const refused = await world.query(`select message from tandem.quarantine
        where entity = 'every_type'`);
      expect(refused).toEqual([]);
      expect(await world.query(into)).toEqual(wanted);
    });
  }

  get #first(): Lane {
    const [first] = this.lanes;
    if (first === undefined) throw new Error('no way was opened');
    return first;
  }

  /** The source goes with the first. */
  async [Symbol.asyncDispose](): Promise<void> {
    const end = async ({ child, way }: Lane) => {
      await child[Symbol.asyncDispose]();
      await way[Symbol.asyncDispose]();
    };
    const [first, ...others] = this.lanes;
    await Promise.all(others.map(end));
    if (first !== undefined) await end(first);
  }
}
