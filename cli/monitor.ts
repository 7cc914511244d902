import type { Mapping } from '../core/entity.ts';
import type { Clock, Observer } from '../core/ports.ts';
import { lookAtConnector } from '../monitoring/connector-sight.ts';
import { Heartbeats } from '../monitoring/health/heartbeats.ts';
import { Liveness } from '../monitoring/health/liveness.ts';
import { missingToBeReady } from '../monitoring/health/readiness.ts';
import { createMetrics } from '../monitoring/metrics/metrics.ts';
import { measured } from '../monitoring/metrics/observe.ts';
import { showConnector } from '../monitoring/metrics/show-connector.ts';
import { showLogLag } from '../monitoring/metrics/show-log-lag.ts';
import { showAccount, showSample } from '../monitoring/metrics/show-sample.ts';
import { jsonPage, servePages, type Pages } from '../monitoring/metrics-server.ts';
import { Sampler, type Sample } from '../monitoring/sample/sampler.ts';
import { WalBudget } from '../monitoring/sample/wal-budget.ts';
import type { Config } from './config.ts';
import { briefly } from './connector/connect-of.ts';
import { watchLogLag } from './watch-log-lag.ts';
import type { Watched } from './with-metrics.ts';

export type MonitorContext = {
  readonly config: Config;
  readonly mapping: Mapping;
  readonly observer: Observer;
  readonly clock: Clock;
};

/** The parts that count, look and answer, put together. */
export async function startMonitor(
  { config, mapping, observer, clock }: MonitorContext,
  port: number,
): Promise<{ readonly watched: Watched; readonly close: () => Promise<void> }> {
  const metrics = createMetrics();
  // A rate can be told from the first failure on only where there was a zero before it.
  for (const { name } of mapping.entities) metrics.chunkFailures.inc({ entity: name }, 0);
  const heartbeats = new Heartbeats(config.heartbeatSeconds > 0);
  const liveness = new Liveness(clock);
  const budget = new WalBudget();
  let latest: Sample | null = null;
  const connect = config.kafka?.connect ?? null;
  const pages: Pages = {
    '/metrics': async () => {
      const ageMs = heartbeats.age(clock.now());
      metrics.lagSeconds.set(ageMs === null ? null : ageMs / 1000);
      if (connect !== null) {
        showConnector(metrics, await lookAtConnector(briefly(connect), connect.connector));
      }
      const { registry } = metrics;
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    },
    '/healthz': () => {
      const verdict = liveness.judge();
      return jsonPage(verdict.alive ? 200 : 503, verdict);
    },
    '/readyz': () => {
      const nowMs = clock.now();
      const limitMs = config.readySeconds * 1000;
      const age = { areSent: heartbeats.areSent, ageMs: heartbeats.age(nowMs) };
      const facts = { mapping, nowMs, limitMs, sample: latest, heartbeats: age };
      const missing = missingToBeReady(facts);
      return jsonPage(missing.length === 0 ? 200 : 503, { ready: missing.length === 0, missing });
    },
  };
  const server = await servePages(pages, { host: config.metricsHost, port });
  const watching = measured(observer, { metrics, heartbeats, clock });
  const at = { host: config.metricsHost, port: server.port };
  watching.event('metrics.served', { ...at, pages: Object.keys(pages).join(' ') });
  const over = new AbortController();
  const sampler = new Sampler({
    ...{ source: config.source, target: config.target },
    ...{ stream: config.stream, slot: config.slot, mapping, clock },
    observer: watching,
    signal: over.signal,
    onSample(sample) {
      latest = sample;
      noteHeartbeat(heartbeats, sample);
      showSample(metrics, sample, { mapping, budget });
    },
    onAccount: (accounts, atMs) => showAccount(metrics, accounts, atMs),
  });
  const sampling = sampler.run();
  const logLag = config.kafka === null ? nothing : watchLogLag;
  const looking = logLag({ config, mapping, observer, clock }, over.signal, (topics) =>
    showLogLag(metrics, topics),
  );
  // Thrown by `close`; until then they are nobody's.
  sampling.catch(() => undefined);
  looking.catch(() => undefined);
  return {
    watched: { observer: watching, watch: (source) => liveness.watch(source) },
    async close() {
      over.abort();
      await Promise.all([sampling, looking, server.close()]);
    },
  };
}

const nothing = (): Promise<void> => Promise.resolve();

/** A process that has just started learns from the target how old the newest heartbeat is. */
function noteHeartbeat(heartbeats: Heartbeats, { source, target, atMs }: Sample): void {
  if (!('value' in source) || !('value' in target)) return;
  const sentAtMs = target.value?.heartbeatAtMs ?? null;
  if (sentAtMs === null) return;
  heartbeats.note(atMs + source.value.clockAheadMs - sentAtMs, atMs);
}
