import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Above this share of the limit the heap is swept. */
const SHARE = 0.7;
const LOOK_MS = 50;
/** A sweep takes some ten milliseconds; where the rows really are that many, more would not help. */
const PAUSE_MS = 500;

/**
 * Keeps the process below the limit while `work` runs. V8 lets garbage lie while the machine has
 * memory to spare, and its own limits can only be set before the process starts; so the heap is
 * swept when resident memory comes near the limit.
 */
export async function withinMemory<T>(limitBytes: number, work: () => Promise<T>): Promise<T> {
  const sweep = garbageCollector();
  let last = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    if (process.memoryUsage.rss() < limitBytes * SHARE || now - last < PAUSE_MS) return;
    sweep();
    last = performance.now();
  }, LOOK_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
