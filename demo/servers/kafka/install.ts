import { fetchPart } from './fetch-part.ts';
import { requireJava } from './java.ts';

/**
 * `tsx demo/servers/kafka/install.ts`: fetches what the tests need before they run, because a
 * test's time is not for downloads.
 */
try {
  requireJava();
  for (const part of ['kafka', 'registry', 'postgresSource', 'avroConverter'] as const) {
    console.log(await fetchPart(part));
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
