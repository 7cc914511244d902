import { Engine, type EngineContext } from './engine.ts';
import { persist } from './persist.ts';
import { recordRun } from './record-run.ts';

/**
 * Loads what is missing, then streams until `signal` aborts: session after session, each opened on
 * what both databases are then. A failure that may pass is waited for.
 */
export async function keepRunning(context: EngineContext, signal: AbortSignal): Promise<void> {
  const { config, clock, observer } = context;
  await persist(
    async (progressed) => {
      while (!signal.aborted) {
        const engine = await Engine.open(context, 'settle');
        const { tables, entities } = await engine.remaining();
        if (tables.length + entities.length > 0) {
          await recordRun(config, 'backfill', () => engine.backfill(signal));
          // What the target remembers of the stream may be another since.
          continue;
        }
        await recordRun(config, 'stream', () => engine.stream(signal, progressed));
      }
    },
    { signal, clock, observer },
  );
}
