import { afterAll } from 'vitest';
import { Bench } from './apply-bench.ts';

/** One bench for all tests of the file that asks for it. */
export async function benchForFile(given?: Parameters<typeof Bench.open>[0]): Promise<Bench> {
  const bench = await Bench.open(given);
  afterAll(() => bench[Symbol.asyncDispose]());
  return bench;
}
