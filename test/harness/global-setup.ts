import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../demo/servers/postgres.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    sourceUrl: string;
    targetUrl: string;
  }
}

/** Nothing here has to survive a power failure. */
const FAST = { fsync: 'off', full_page_writes: 'off' };

/**
 * Runs once before all tests: `TEST_PG_URL` names the server, otherwise two throw-away ones are
 * started, a source and a target, as in real life.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TEST_PG_URL'];
  if (given !== undefined && given !== '') {
    project.provide('sourceUrl', given);
    project.provide('targetUrl', given);
    return async () => undefined;
  }
  const [source, target] = await Promise.all([
    startPostgres({ settings: FAST }),
    startPostgres({ settings: FAST }),
  ]);
  project.provide('sourceUrl', source.connectionString());
  project.provide('targetUrl', target.connectionString());
  return async () => {
    await Promise.all([source.stop(), target.stop()]);
  };
}
