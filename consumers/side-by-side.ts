/**
 * Works on items of a session whose statements are pipelined: while the server is busy with one, the
 * next is got ready here. They begin in order, `atOnce` at most; the first failure is thrown.
 */
export async function sideBySide<T>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const under = new Set<Promise<void>>();
  try {
    for await (const item of items) {
      const one = work(item);
      under.add(one);
      // Its failure is thrown by an `await` below; until then it is nobody's.
      one.then(() => under.delete(one)).catch(() => undefined);
      if (under.size >= atOnce) await Promise.race(under);
    }
    await Promise.all(under);
  } finally {
    // Nothing may be sent behind a rollback.
    await Promise.allSettled(under);
  }
}
