import type pg from 'pg';
import {
  execute,
  openClient,
  statementError,
  type Database,
} from '../../connectors/postgres/connection.ts';
import type { Model } from '../../consumers/model.ts';
import type { LookOptions } from '../changes/foresee-entity.ts';
import type { WantedRoots } from '../changes/foresee.ts';
import { Snapshot } from '../snapshot.ts';
import { claimShadow, makeShadow } from './shadow-schema.ts';
import { ShadowRun, type Filled } from './shadow-run.ts';

export type ShadowOptions = Omit<LookOptions, 'model'> & {
  readonly target: Database;
  readonly stream: string;
  readonly schema: string;
};

/**
 * A schema of the target that belongs to this run: claimed at once, so that a name that cannot be
 * had is refused before anything is done, and made when it is filled.
 */
export class Shadow implements AsyncDisposable {
  readonly #options: ShadowOptions;
  readonly #client: pg.Client;

  private constructor(options: ShadowOptions, client: pg.Client) {
    this.#options = options;
    this.#client = client;
  }

  /** @throws TandemError `SHADOW_REFUSED` */
  static async claim(options: ShadowOptions): Promise<Shadow> {
    const client = await openClient(options.target, 'shadow');
    try {
      await claimShadow(client, options.schema, options.stream);
      return new Shadow(options, client);
    } catch (error) {
      await client.end();
      throw statementError('target', error, 'claim the shadow');
    }
  }

  /**
   * Derives roots from the mirror into the schema, which takes the place of what it was before, and
   * compares with the live rows. All of it is of one moment. The session that derives can only read;
   * the one that writes names nothing but the schema, and commits when all is done.
   *
   * What comes into being in this run is there for what is looked at later: roots that lack a parent
   * wait until the others are done, and what waits for a new row is looked at too.
   *
   * @param asked.reader a session that the roots are read in; default: one of its own
   */
  async fill(asked: {
    readonly model: Model;
    readonly wanted: readonly WantedRoots[];
    readonly reader?: pg.Client;
  }): Promise<Filled> {
    const { target, schema, stream } = this.#options;
    const { model, wanted, reader } = asked;
    await using snapshot = await Snapshot.take(target);
    const client = reader ?? (await snapshot.session());
    try {
      await snapshot.enter(client);
      await snapshot.enter(this.#client, 'read write');
      await execute(this.#client, 'set constraints all immediate');
      await makeShadow(this.#client, schema, stream);
      const enter = (session: pg.ClientBase) => snapshot.enter(session);
      const run = new ShadowRun({ ...this.#options, model }, this.#client, { client, enter });
      const filled = await run.fill(wanted);
      await execute(this.#client, 'commit');
      return filled;
    } catch (error) {
      throw statementError('target', error, 'fill the shadow');
    } finally {
      if (reader === undefined) await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}
