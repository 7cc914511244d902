import { join } from 'node:path';
import type { Options } from './options.ts';
import { runWorker } from './run-worker.ts';
import { summarizeProfile, type ProfileSummary } from './summarize-profile.ts';
import type { Task, WorkerReport } from './worker-task.ts';
import { EMPTY, type World } from './world.ts';

/** A database whose mirror is loaded and whose target is empty. */
const LOADED = 'bench_loaded';
/** A database after a whole backfill. */
export const DERIVED = 'bench_derived';

/** What every section works with. */
export class Bench {
  readonly world: World;
  readonly options: Options;
  readonly profiles: ProfileSummary[] = [];
  #hasLoaded = false;

  constructor(world: World, options: Options) {
    this.world = world;
    this.options = options;
  }

  /** One line to stderr, where a person waits. */
  say(text: string): void {
    process.stderr.write(`${(performance.now() / 1000).toFixed(1).padStart(7)} s  ${text}\n`);
  }

  /** A task of the engine, in a fresh process, with idle servers; `name` is that of its profile. */
  async engine(
    name: string,
    targetUrl: string,
    work: Task['work'],
    log?: Task['log'],
  ): Promise<WorkerReport> {
    await this.world.settle();
    const profile = this.profileFile(name);
    const { sourceUrl } = this.world;
    const task = { sourceUrl, targetUrl, work, profile, ...(log === undefined ? {} : { log }) };
    const report = await runWorker(this.world, task);
    if (profile !== null) this.profiles.push(summarizeProfile(name, profile));
    return report;
  }

  profileFile(name: string): string | null {
    const { profile } = this.options;
    return profile === null ? null : join(profile, `${name}.cpuprofile`);
  }

  /** The database to derive from; made where no measurement has made it. */
  async loaded(): Promise<string> {
    if (!this.#hasLoaded) {
      const url = await this.world.clone(LOADED, EMPTY);
      await this.engine('load-once', url, { kind: 'load' });
      this.#hasLoaded = true;
    }
    return LOADED;
  }

  /** Repeats; in every round ours and the floor in turn, so that drift strikes both. */
  async rounds<T>(what: string, round: (number: number) => Promise<T>): Promise<T[]> {
    const results: T[] = [];
    for (let number = 1; number <= this.options.rounds; number++) {
      this.say(`${what}, round ${number} of ${this.options.rounds}`);
      results.push(await round(number));
    }
    return results;
  }
}
