import { withClient } from '../../connectors/postgres/connection.ts';
import type { StoredStream } from '../../connectors/postgres/judge-slot.ts';
import { readMemory, readPosition } from '../../consumers/position.ts';
import { TandemError } from '../../core/errors.ts';
import type { Config } from '../config.ts';

/**
 * What the target holds, as last seen. The relay publishes as well while the target is away: what it
 * held before, it holds still.
 */
export class TargetMemory {
  readonly #config: Config;
  #seen: StoredStream | null = null;

  constructor(config: Config) {
    this.#config = config;
  }

  /** @throws TandemError `NOT_SET_UP`, and `TARGET_UNREACHABLE` where it was never seen */
  async read(): Promise<StoredStream> {
    const { target, stream } = this.#config;
    try {
      this.#seen = await withClient(target, 'relay', async (client) => {
        const stored = await readPosition(client, stream);
        if (stored === null) throw new TandemError('NOT_SET_UP', { stream });
        return await readMemory(client, stored);
      });
    } catch (error) {
      const isAway = error instanceof TandemError && error.code === 'TARGET_UNREACHABLE';
      if (!isAway || this.#seen === null) throw error;
    }
    return this.#seen;
  }
}
