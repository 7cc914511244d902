import { readFileSync } from 'node:fs';
import pg from 'pg';
import { startPostgres } from '../../demo/servers/postgres.ts';

/**
 * `npx tsx examples/shop/servers.ts`: two PostgreSQL servers for trying the example out. The source
 * has the legacy shop, the target is empty. Both end, and their data are removed, with Ctrl-C.
 */
await using source = await startPostgres();
await using target = await startPostgres();

const client = new pg.Client({ connectionString: source.connectionString() });
await client.connect();
await client.query(readFileSync(new URL('legacy.sql', import.meta.url), 'utf8'));
await client.end();

process.stdout.write(
  [
    'Two servers are up, until Ctrl-C. In every other terminal, in this folder:',
    '',
    `export SOURCE_URL=${source.connectionString()}`,
    `export TARGET_URL=${target.connectionString()}`,
    'export MAPPING=examples/shop/mapping.ts',
    '',
  ].join('\n'),
);
const stay = setInterval(() => undefined, 60_000);
await new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve);
});
clearInterval(stay);
