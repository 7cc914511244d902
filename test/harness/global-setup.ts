import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../demo/servers/postgres.ts';
import { memoryFolder, removeFolder } from './memory-folder.ts';
import { offerSharedServers } from './shared-servers.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    sourceUrl: string;
    targetUrl: string;
    /** Where test/harness/kafka-stack.ts asks for servers. */
    sharedServersUrl: string;
  }
}

/** Nothing here has to survive a power failure. */
const FAST = { fsync: 'off', full_page_writes: 'off' };

/**
 * Runs once before all tests: `TEST_PG_URL` names the server, otherwise two throw-away ones are
 * started, a source and a target, as in real life. Kafka's servers start when a test asks for them.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await memoryFolder();
  if (folder !== null) process.env['TMPDIR'] = folder; // of the processes too that run the files
  const shared = await offerSharedServers();
  project.provide('sharedServersUrl', shared.url);
  const databases = await provideDatabases(project);
  return async () => {
    await Promise.all([shared.stop(), databases.stop()]);
    if (folder !== null) await removeFolder(folder);
  };
}

async function provideDatabases(project: TestProject): Promise<{ stop(): Promise<void> }> {
  const given = process.env['TEST_PG_URL'];
  if (given !== undefined && given !== '') {
    project.provide('sourceUrl', given);
    project.provide('targetUrl', given);
    return { stop: async () => undefined };
  }
  const [source, target] = await Promise.all([
    startPostgres({ settings: FAST }),
    startPostgres({ settings: FAST }),
  ]);
  project.provide('sourceUrl', source.connectionString());
  project.provide('targetUrl', target.connectionString());
  return {
    async stop() {
      await Promise.all([source.stop(), target.stop()]);
    },
  };
}
