import type pg from 'pg';
import type { Observer } from '../core/ports.ts';
import { TandemError } from '../core/errors.ts';
import { inactiveEntities, setEntityState } from './entity-state.ts';

/** The entities that are not derived at present, as this session knows it. */
export class InactiveEntities {
  readonly #client: pg.ClientBase;
  readonly #observer: Observer;
  readonly #names: Set<string>;
  /** Stopped by the transaction in hand: not yet a fact. */
  readonly #stoppedNow = new Set<string>();

  private constructor(client: pg.ClientBase, observer: Observer, names: Set<string>) {
    this.#client = client;
    this.#observer = observer;
    this.#names = names;
  }

  static async read(client: pg.ClientBase, observer: Observer): Promise<InactiveEntities> {
    const names = new Set((await inactiveEntities(client)).keys());
    return new InactiveEntities(client, observer, names);
  }

  has(entity: string): boolean {
    return this.#names.has(entity);
  }

  /** Those of `entities` that are derived. */
  without(entities: Iterable<string>): Set<string> {
    return new Set([...entities].filter((entity) => !this.#names.has(entity)));
  }

  /** Another process may have paused one, or set it going again. */
  async readAgain(): Promise<void> {
    const names = await inactiveEntities(this.#client);
    this.#names.clear();
    for (const name of names.keys()) this.#names.add(name);
  }

  /** Stops an entity in the transaction in hand. */
  async stop(entity: string, reason: string): Promise<void> {
    await setEntityState(this.#client, entity, 'stopped', reason);
    this.#names.add(entity);
    this.#stoppedNow.add(entity);
    const { hint } = new TandemError('ENTITY_STOPPED');
    this.#observer.event('entity stopped', { entity, reason, hint }, 'error');
  }

  committed(): void {
    this.#stoppedNow.clear();
  }

  rolledBack(): void {
    for (const entity of this.#stoppedNow) this.#names.delete(entity);
    this.#stoppedNow.clear();
  }
}
