import { expectSmallAgreement } from './small-agreement.ts';
import { openPath, type OpenPath, type Path, type Servers } from './paths.ts';
import type { RelayProcess } from './relay-process.ts';
import { SmallWorld } from './small-world.ts';
import { TandemProcess, type Settings } from './tandem-process.ts';
import { waitFor } from './wait-for.ts';

type Options = {
  readonly seed: number;
  /** For every process, the one that makes the way included. */
  readonly settings?: Settings | undefined;
  readonly servers?: Servers | undefined;
};

/** The small world, and one of the ways from its source to its target. */
export class SmallPath implements AsyncDisposable {
  readonly world: SmallWorld;
  readonly #way: OpenPath;

  private constructor(world: SmallWorld, way: OpenPath) {
    this.world = world;
    this.#way = way;
  }

  static async open(path: Path, { seed, settings, servers }: Options): Promise<SmallPath> {
    return SmallPath.through(path, await SmallWorld.open({ seed }), { settings, servers });
  }

  /** The world is this way's from now on: it ends with it. */
  static async through(
    path: Path,
    world: SmallWorld,
    { settings, servers }: Omit<Options, 'seed'> = {},
  ): Promise<SmallPath> {
    try {
      // Random rows have many that the mapping rejects: that is not a broken mapping.
      const given = { ...world.settings, STOP_SHARE: '1', ...settings };
      return new SmallPath(world, await openPath(path, given, servers));
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  get settings(): Settings {
    return this.#way.settings;
  }

  /** Who writes the log, where that is a process of ours. */
  get relay(): RelayProcess | null {
    return this.#way.relay;
  }

  /** `tandem run`, as this way has it, with other settings where given. */
  run(settings: Settings = {}): TandemProcess {
    return new TandemProcess([...this.#way.run], { ...this.settings, ...settings });
  }

  /** All that the source has committed by now is in the target, row by row, and right. */
  async expectArrived(child: TandemProcess, timeoutMs?: number): Promise<void> {
    await this.world.caughtUp(child, timeoutMs);
    await expectSmallAgreement(this.world.source, this.world.target);
  }

  /** Waits for a row of the target; `from` is what stands behind "from". */
  async expectRow(from: string, timeoutMs = 60_000): Promise<void> {
    const there = async () => (await this.world.query(`select from ${from} limit 1`)).length > 0;
    await waitFor(there, { what: `a row of ${from}`, timeoutMs });
  }

  /** The way first: whoever reads the slot has to let it go before the source can be dropped. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#way[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
  }
}
