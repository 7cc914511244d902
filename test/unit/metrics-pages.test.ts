import { expect, test } from 'vitest';
import { buildConfig } from '../../cli/build-config.ts';
import { startMonitor } from '../../cli/monitor.ts';
import { readSettings } from '../../cli/read-settings.ts';
import type { Batch, ChangeSource, Position } from '../../core/ports.ts';
import { freePort } from '../../demo/servers/free-port.ts';
import { servePages } from '../../monitoring/metrics-server.ts';
import { SILENT } from '../harness/filled-metrics.ts';
import { scrape, waitForStatus } from '../harness/scrape.ts';
import { SMALL_MAPPING } from '../harness/small-mapping.ts';

/** A monitor with a clock to be set, of two databases that nobody can reach. */
async function monitorAt(clock: { nowMs: number }) {
  const [port, nobody] = [await freePort(), await freePort()];
  const url = (name: string) => `postgresql://nobody@127.0.0.1:${nobody}/${name}?sslmode=disable`;
  const environment = { SOURCE_URL: url('source'), TARGET_URL: url('target') };
  const workFolder = import.meta.dirname;
  const reading = readSettings({ flags: {}, environment, workFolder, envFile: null });
  const stopped = (signal?: AbortSignal) =>
    new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
  const monitor = await startMonitor(
    {
      config: buildConfig(reading, workFolder),
      mapping: SMALL_MAPPING,
      observer: SILENT,
      clock: { now: () => clock.nowMs, sleep: (_ms, signal) => stopped(signal) },
    },
    port,
  );
  return { port, monitor, [Symbol.asyncDispose]: () => monitor.close() };
}

const oneBatch: ChangeSource = {
  async *batches() {
    yield { complete: true } as Batch;
  },
  confirm: async () => undefined,
};

test('/healthz answers 503 while the loop sits on a batch for too long, and 200 when it goes on', async () => {
  const clock = { nowMs: 0 };
  await using place = await monitorAt(clock);
  const { port, monitor } = place;
  const options = { maxBytes: 1, maxEvents: 1, signal: new AbortController().signal };
  const batches = monitor.watched.watch(oneBatch).batches('0/0' as Position, options);
  const iterator = batches[Symbol.asyncIterator]();
  await iterator.next();
  clock.nowMs = 9 * 60_000;
  expect((await scrape(port, '/healthz'))?.status).toBe(200);
  clock.nowMs = 10 * 60_000;
  const hung = await scrape(port, '/healthz');
  expect([hung?.status, JSON.parse(hung?.body ?? '')]).toEqual([
    503,
    { alive: false, loop: 'has had a batch in hand for 600 s' },
  ]);
  await iterator.next();
  expect((await scrape(port, '/healthz'))?.status).toBe(200);
});

test('/readyz names a target that cannot be reached', async () => {
  await using place = await monitorAt({ nowMs: 0 });
  await waitForStatus(place.port, '/readyz', 503);
  await expect
    .poll(async () => JSON.parse((await scrape(place.port, '/readyz'))?.body ?? '') as object)
    .toEqual({
      ready: false,
      missing: [{ what: 'target', detail: 'it cannot be asked: TARGET_UNREACHABLE' }],
    });
});

test('a page that fails says so, and nothing else', async () => {
  const pages = { '/broken': () => Promise.reject(new Error('a secret')) };
  const server = await servePages(pages, { host: '127.0.0.1', port: 0 });
  try {
    expect(await scrape(server.port, '/broken')).toEqual({ status: 500, body: 'failed\n' });
    expect((await scrape(server.port, '/toString'))?.status).toBe(404);
    const address = { host: '127.0.0.1', port: server.port };
    await expect(servePages(pages, address)).rejects.toMatchObject({
      code: 'PORT_UNAVAILABLE',
      details: { reason: 'EADDRINUSE' },
    });
  } finally {
    await server.close();
  }
  const elsewhere = { host: '192.0.2.1', port: 0 };
  await expect(servePages(pages, elsewhere)).rejects.toMatchObject({ code: 'PORT_UNAVAILABLE' });
});
