import type pg from 'pg';
import type { Observer } from '../core/ports.ts';
import { stopEntity } from './stop-share.ts';

/** The entities that the transaction in hand does not derive; every fence says which they are. */
export class InactiveEntities {
  readonly #client: pg.ClientBase;
  readonly #observer: Observer;
  readonly #names = new Set<string>();

  constructor(client: pg.ClientBase, observer: Observer) {
    this.#client = client;
    this.#observer = observer;
  }

  has(entity: string): boolean {
    return this.#names.has(entity);
  }

  /** Those of `entities` that are derived. */
  without(entities: Iterable<string>): Set<string> {
    return new Set([...entities].filter((entity) => !this.#names.has(entity)));
  }

  /** What the fence has found. */
  are(names: Iterable<string>): void {
    this.#names.clear();
    for (const name of names) this.#names.add(name);
  }

  /** Stops an entity in the transaction in hand. */
  async stop(entity: string, reason: string): Promise<void> {
    await stopEntity(this.#client, this.#observer, entity, reason);
    this.#names.add(entity);
  }
}
