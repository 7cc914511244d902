import { randomInt } from 'node:crypto';
import { onTestFailed } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';

/** A seed that is printed when the test fails; `TEST_SEED` repeats one. */
export function newSeed(): number {
  const seed = Number(process.env['TEST_SEED'] ?? randomInt(1_000_000));
  onTestFailed(() => void process.stderr.write(`TEST_SEED=${seed}\n`));
  return seed;
}

export const seededRandom = (): Random => new Random(newSeed());
