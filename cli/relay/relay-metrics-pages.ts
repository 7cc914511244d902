import type { ChangeSource, Clock, Observer } from '../../core/ports.ts';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { Heartbeats } from '../../monitoring/health/heartbeats.ts';
import { Liveness } from '../../monitoring/health/liveness.ts';
import { jsonPage, servePages, type Pages } from '../../monitoring/metrics-server.ts';
import { countRelayed, createRelayMetrics } from '../../monitoring/metrics/relay-metrics.ts';
import { ask } from '../../monitoring/sample/ask.ts';
import { sampleSource } from '../../monitoring/sample/source-sample.ts';
import type { Config } from '../config.ts';
import type { Watched } from '../with-metrics.ts';

type Context = { readonly config: Config; readonly observer: Observer; readonly clock: Clock };

/**
 * Does `work` with `/metrics`, `/healthz` and `/readyz` beside it, where METRICS_PORT asks for them.
 *
 * @throws TandemError `PORT_UNAVAILABLE` before any work is done
 */
export async function withRelayMetrics<T>(
  context: Context,
  work: (watched: Watched) => Promise<T>,
): Promise<T> {
  const { metricsPort: port, metricsHost: host } = context.config;
  if (port === null) return work({ observer: context.observer, watch: (source) => source });
  const monitor = new RelayMonitor(context);
  const server = await servePages(monitor.pages, { host, port });
  const { observer } = monitor;
  observer.event('metrics.served', {
    host,
    port: server.port,
    pages: Object.keys(monitor.pages).join(' '),
  });
  const over = new AbortController();
  const looking = monitor.lookAtSource(over.signal);
  try {
    return await work({ observer, watch: (source) => monitor.watch(source) });
  } finally {
    over.abort();
    await Promise.all([looking, server.close()]);
  }
}

const LOOK_MS = 5_000;

/** What the relay's process shows of itself. */
class RelayMonitor {
  readonly observer: Observer;
  readonly pages: Pages;
  readonly #context: Context;
  readonly #metrics = createRelayMetrics();
  readonly #heartbeats: Heartbeats;
  readonly #liveness: Liveness;
  #acknowledged: Lsn | null = null;

  constructor(context: Context) {
    const { config, clock } = context;
    this.#context = context;
    this.#heartbeats = new Heartbeats(config.heartbeatSeconds > 0);
    this.#liveness = new Liveness(clock);
    this.observer = this.#counting(context.observer);
    this.pages = {
      '/metrics': () => this.#metricsPage(),
      '/healthz': () => {
        const verdict = this.#liveness.judge();
        return jsonPage(verdict.alive ? 200 : 503, verdict);
      },
      '/readyz': () => {
        const missing = this.#missing();
        return jsonPage(missing === null ? 200 : 503, { ready: missing === null, missing });
      },
    };
  }

  watch(source: ChangeSource): ChangeSource {
    return this.#liveness.watch(source);
  }

  async lookAtSource(signal: AbortSignal): Promise<void> {
    const { config, clock } = this.#context;
    while (!signal.aborted) {
      const limits = { deadlineMs: 2 * LOOK_MS, signal };
      const answer = await ask(config.source, limits, (client) =>
        sampleSource(client, config.slot, clock),
      );
      const end = 'value' in answer ? answer.value.end : null;
      const isKnown = end !== null && this.#acknowledged !== null;
      const behind = isKnown ? Number(end - (this.#acknowledged ?? end)) : null;
      this.#metrics.lagBytes.set(behind === null ? null : Math.max(0, behind));
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    }
  }

  #counting(observer: Observer): Observer {
    const { clock } = this.#context;
    return {
      event: (name, facts = {}, level = 'info') => {
        observer.event(name, facts, level);
        if (name === 'heartbeat.off') this.#heartbeats.turnOff();
        if (name !== 'interrupted') return;
        this.#metrics.interruptions.inc({ code: String(facts['code']) });
      },
      progress: (step, subject, done, total) => observer.progress(step, subject, done, total),
      batch: (report) => {
        observer.batch(report);
        countRelayed(this.#metrics, report);
        this.#acknowledged = parseLsn(report.position);
        if (report.heartbeatLagMs !== null) {
          this.#heartbeats.note(report.heartbeatLagMs, clock.now());
        }
      },
    };
  }

  async #metricsPage() {
    const ageMs = this.#heartbeats.age(this.#context.clock.now());
    this.#metrics.lagSeconds.set(ageMs === null ? null : ageMs / 1000);
    const { registry } = this.#metrics;
    return { status: 200, type: registry.contentType, body: await registry.metrics() };
  }

  /** Why Kafka is not up to date with the source; null: it is. */
  #missing(): string | null {
    const { config, clock } = this.#context;
    if (this.#acknowledged === null) return 'nothing was acknowledged yet';
    if (!this.#heartbeats.areSent) return null;
    const ageMs = this.#heartbeats.age(clock.now());
    if (ageMs === null) return 'no heartbeat was acknowledged yet';
    if (ageMs <= config.readySeconds * 1000) return null;
    return `the newest heartbeat that Kafka has is ${Math.round(ageMs / 1000)} s old`;
  }
}
