import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { answers } from './answers.ts';
import { fetchPart } from './fetch-part.ts';
import { SMALL_JVM } from './jvm-files.ts';
import { startJvm, type JvmServer } from './jvm-server.ts';

/** A schema registry of our own. It keeps its schemas in memory: a restart forgets them. */
export type Registry = JvmServer & {
  /** What speaks as Confluent's registry does. */
  readonly url: string;
  /** Its own interface, for its converter. */
  readonly nativeUrl: string;
};

/** Starts an Apicurio registry. */
export async function startRegistry(): Promise<Registry> {
  const folder = await fetchPart('registry');
  const jar = (await readdir(folder)).find((name) => name.endsWith('-runner.jar')) ?? 'missing';
  const server = await startJvm({
    name: 'the schema registry',
    portCount: 1,
    isReady: async (_log, { ports: [port] }) => answers(`${confluent(port)}/subjects`),
    prepare: async ({ ports: [port] }) => [
      ...['-Xmx256m', ...SMALL_JVM],
      ...['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${port}`],
      ...['-jar', join(folder, jar)],
    ],
  });
  const [port] = server.ports;
  const nativeUrl = `http://127.0.0.1:${port}/apis/registry/v2`;
  return Object.assign(server, { url: confluent(port), nativeUrl });
}

const confluent = (port: number | undefined) => `http://127.0.0.1:${port}/apis/ccompat/v7`;
