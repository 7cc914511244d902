import { fetchPart } from './fetch-part.ts';

/**
 * `tsx demo/servers/kafka/install.ts`: fetches what the tests need before they run, because a
 * test's time is not for downloads.
 */
for (const part of ['kafka', 'registry', 'postgresSource', 'avroConverter'] as const) {
  console.log(await fetchPart(part));
}
