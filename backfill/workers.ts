/** What every item needs, and what is done with it. */
type Pool<T, C> = {
  readonly items: readonly T[];
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly open: () => Promise<C>;
  readonly close: (context: C) => Promise<void>;
  readonly run: (context: C, item: T) => Promise<void>;
};

/**
 * Runs all items with several workers, each with a context of its own, in the order given. The
 * first error stops all of them after the item in hand and is thrown.
 */
export async function eachWithWorkers<T, C>(pool: Pool<T, C>): Promise<void> {
  let next = 0;
  let failure: { readonly error: unknown } | null = null;
  const isOver = () => failure !== null || pool.signal.aborted;
  const worker = async () => {
    const context = await pool.open();
    try {
      while (!isOver()) {
        const item = pool.items[next++];
        if (item === undefined) return;
        await pool.run(context, item);
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      await pool.close(context);
    }
  };
  const count = Math.min(pool.workers, pool.items.length);
  const results = await Promise.allSettled(Array.from({ length: count }, worker));
  if (failure !== null) throw (failure as { error: unknown }).error;
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  pool.signal.throwIfAborted();
}
