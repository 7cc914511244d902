import type pg from 'pg';
import { addJobs } from '../consumers/jobs.ts';
import { noteMapping, withoutWholeJob, type Fingerprints } from '../consumers/mapping-state.ts';
import type { Cursor } from '../consumers/position.ts';
import type { Mapping } from '../core/entity.ts';
import type { Observer } from '../core/ports.ts';
import { fingerprintsOf } from './fingerprint.ts';

/** Tells when the mapping is another one than the rows come from; for the life of a process. */
export class MappingWatch {
  readonly #mapping: Mapping;
  readonly #observer: Observer;
  /** Whether entities whose mapping changed are derived again as a whole. */
  readonly #applies: boolean;
  #fingerprints: Promise<Fingerprints> | null = null;
  #wasTold = false;

  constructor(options: {
    readonly mapping: Mapping;
    readonly observer: Observer;
    readonly applies: boolean;
  }) {
    this.#mapping = options.mapping;
    this.#observer = options.observer;
    this.#applies = options.applies;
  }

  /**
   * Notes the mapping of this process, which has the stream.
   *
   * @param order the entities, parents first
   */
  async note(
    client: pg.ClientBase,
    place: { readonly stream: string; readonly cursor: Cursor },
    order: readonly string[],
  ): Promise<void> {
    this.#fingerprints ??= this.#read();
    const fingerprints = await this.#fingerprints;
    const known = order.filter((name) => fingerprints.has(name));
    const inOrder = new Map(known.map((name) => [name, fingerprints.get(name) ?? '']));
    const changed = await noteMapping(client, place, inOrder);
    if (changed.length === 0) return;
    const wanted = this.#applies ? await withoutWholeJob(client, changed) : [];
    await addJobs(
      client,
      wanted.map((entity) => ({ entity, keys: null })),
      'the mapping changed',
    );
    if (this.#wasTold) return;
    this.#wasTold = true;
    const entities = changed.join(' ');
    const hint = this.#applies
      ? 'All of their rows are derived again, beside the stream.'
      : 'What changes from now on is derived with it. For the other rows: tandem reprocess --dry-run shows what it would change, tandem reprocess does it, or start with --apply-mapping.';
    this.#observer.event('mapping changed', { entities, hint }, 'warn');
  }

  /** Nothing to compare is no reason not to run. */
  async #read(): Promise<Fingerprints> {
    try {
      return await fingerprintsOf(this.#mapping);
    } catch (error) {
      const name = error instanceof Error ? error.name : typeof error;
      this.#observer.event('mapping not compared', { error: name }, 'warn');
      return new Map();
    }
  }
}
