import { createLegacySchema } from '../../demo/legacy/schema.ts';
import { generateLegacy } from '../../demo/legacy/generate.ts';
import { startTraffic } from '../../demo/legacy/traffic.ts';
import { assertAccounted } from '../oracle/account.ts';
import { assertAgrees } from '../oracle/compare.ts';
import { assertMirrorAgrees } from '../oracle/mirror.ts';
import type { TestDatabase } from './database.ts';

/** Fills an empty source with the tiny legacy system. */
export async function legacyWorld(source: TestDatabase, seed: number): Promise<void> {
  await createLegacySchema(source.connectionString);
  await generateLegacy({ connectionString: source.connectionString, seed, scale: 'tiny' });
}

/** The legacy application at work, until `end` or the end of the test. */
export function underTraffic(source: TestDatabase, seed: number, changesPerSecond: number) {
  const over = new AbortController();
  const { connectionString } = source;
  const traffic = startTraffic({ connectionString, seed, changesPerSecond, signal: over.signal });
  const end = async () => {
    over.abort();
    await traffic;
  };
  return { end, [Symbol.asyncDispose]: end };
}

/** By the oracle: mirror = source, target = what the rules say, and every root is counted once. */
export async function expectAgreement(source: TestDatabase, target: TestDatabase): Promise<void> {
  const urls = { sourceUrl: source.connectionString, targetUrl: target.connectionString };
  await assertMirrorAgrees(urls);
  await assertAgrees(urls);
  await assertAccounted(target.connectionString);
}
