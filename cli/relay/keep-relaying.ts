import { withClient } from '../../connectors/postgres/connection.ts';
import { readSlot } from '../../connectors/postgres/slot.ts';
import { TandemError } from '../../core/errors.ts';
import { persist } from '../persist.ts';
import { relaySession, type RelayContext } from './relay-session.ts';

/** Session after session until `signal` aborts. A failure that may pass is waited for. */
export async function keepRelaying(context: RelayContext, signal: AbortSignal): Promise<void> {
  const { clock, observer } = context;
  await persist(
    async (progressed) => {
      try {
        await relaySession(context, signal, progressed);
      } catch (error) {
        if (!signal.aborted) await tellWhatWaits(context, error);
        throw error;
      }
    },
    { signal, clock, observer },
  );
}

/** Meanwhile the source keeps its log, on its own disk. */
async function tellWhatWaits({ config, observer }: RelayContext, error: unknown): Promise<void> {
  if (!(error instanceof TandemError) || error.code !== 'KAFKA_UNREACHABLE') return;
  try {
    const slot = await withClient(config.source, 'relay', (client) =>
      readSlot(client, config.slot),
    );
    if (!slot.exists) return;
    const { name, retainedBytes, safeWalBytes } = slot;
    observer.event('source keeps its log', { slot: name, retainedBytes, safeWalBytes }, 'warn');
  } catch {
    // The source is away as well: the next session says so.
  }
}
