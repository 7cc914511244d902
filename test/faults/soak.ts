import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { JvmServer } from '../../demo/servers/kafka/jvm-server.ts';
import { startPostgres, type PostgresServer } from '../../demo/servers/postgres.ts';
import { Random } from '../../demo/legacy/random.ts';
import { freshDatabase } from '../harness/database.ts';
import { startOwnLog, type OwnLog } from '../harness/own-log.ts';
import { PATHS, type Path } from '../harness/paths.ts';
import { startProxy, type Proxy } from '../harness/proxy.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallPath } from '../harness/small-path.ts';
import { SmallWorld } from '../harness/small-world.ts';
import type { TandemProcess } from '../harness/tandem-process.ts';

// Faults of every kind, one after the other and some at a time, under traffic. SOAK_MINUTES says for
// how long, PATHS through which paths, one after the other (`direct,relay-json,debezium-avro`), and
// TEST_SEED repeats the choices (not the moments). Every half minute, and at the end, the traffic
// pauses and everything is compared.

const THROUGH = pathsOf(process.env['PATHS'] ?? 'direct');
const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 10);
const COMPARE_EVERY_MS = 30_000;

const say = (text: string) => void process.stdout.write(`${new Date().toISOString()} ${text}\n`);

/** Ends that a supervisor answers with a new start: a server was away at the first contact. */
const MAY_END =
  /SOURCE_UNREACHABLE|TARGET_UNREACHABLE|TARGET_BUSY|SOURCE_FAILED|POSITION_TAKEN|KAFKA_UNREACHABLE|REGISTRY_UNREACHABLE/;

function pathsOf(names: string): readonly Path[] {
  const wanted = names.split(',').map((name) => name.trim());
  const unknown = wanted.filter((name) => !PATHS.some((path) => path === name));
  if (unknown.length > 0)
    throw new Error(`PATHS: ${unknown.join(', ')} is none of ${PATHS.join(', ')}`);
  return PATHS.filter((path) => wanted.includes(path));
}

type Place = {
  readonly open: SmallPath;
  readonly log: OwnLog | null;
  readonly servers: readonly [PostgresServer, PostgresServer];
  readonly proxies: readonly [Proxy, Proxy];
};

class Soak {
  readonly chance: Random;
  readonly world: SmallWorld;
  readonly #place: Place;
  readonly memoryMb: number[] = [];
  child: TandemProcess;

  constructor(place: Place) {
    this.#place = place;
    this.world = place.open.world;
    this.chance = new Random(this.world.seed);
    this.child = this.start();
  }

  start(): TandemProcess {
    return this.#place.open.run();
  }

  /** As a supervisor does. */
  async keepAlive(): Promise<void> {
    const { relay } = this.#place.open;
    if (relay?.now.hasEnded === true) {
      await expectMayEnd('the relay', relay.now);
      relay.start();
    }
    await this.#reviveConnector();
    if (!this.child.hasEnded) return;
    await expectMayEnd('it', this.child);
    this.child = this.start();
  }

  /** As an operator does who reads `connector failed`. */
  async #reviveConnector(): Promise<void> {
    const { log, open } = this.#place;
    if (log?.connect == null) return;
    const connector = `${log.connect.url}/connectors/${open.settings['CONNECTOR_NAME'] ?? ''}`;
    try {
      const status = await (await fetch(`${connector}/status`)).text();
      if (!status.includes('FAILED')) return;
      say('  the connector failed');
      await fetch(`${connector}/restart?includeTasks=true&onlyFailed=true`, { method: 'POST' });
    } catch {
      // Connect is away, or shares out its work: at the next look.
    }
  }

  async fault(): Promise<void> {
    const { chance } = this;
    const { servers, proxies } = this.#place;
    const [source, target] = servers;
    const ms = chance.int(100, 3_000);
    const proxy = chance.pick(proxies);
    const server = chance.pick([source, target, target]);
    const side = server === source ? 'source' : 'target';
    const faults: Record<string, () => Promise<unknown>> = {
      kill: async () => {
        await this.child.stop('SIGKILL');
        this.child = this.start();
      },
      stop: async () => {
        // A child that is starting has no handler yet.
        const code = await this.child.stop('SIGTERM');
        expect([0, null, 1], this.child.output).toContain(code);
        this.child = this.start();
      },
      freeze: async () => {
        this.child.signal('SIGSTOP');
        await pause(ms);
        this.child.signal('SIGCONT');
      },
      'second process': async () => {
        await using other = this.start();
        await pause(ms + 2_000);
        await other.stop('SIGKILL');
      },
      [`${side} restarts`]: () => server.restart('fast'),
      [`${side} crashes`]: () => server.restart('immediate'),
      [`${side} is away`]: async () => {
        await server.kill();
        await pause(ms);
        await server.start();
      },
      cut: async () => proxy.cut(),
      refuse: async () => {
        await proxy.refuse(true);
        proxy.cut();
        await pause(ms);
        await proxy.refuse(false);
      },
      slow: async () => {
        proxy.delay(chance.int(5, 80));
        await pause(ms);
        proxy.delay(0);
      },
      silent: async () => {
        proxy.halfOpen(true);
        await pause(ms);
        proxy.cut();
        proxy.halfOpen(false);
      },
      'a user locks rows': async () => {
        const user = await this.world.target.client();
        await user.query('begin; select from patients for update').catch(() => undefined);
        await pause(ms);
        await user.end();
      },
      ...this.#faultsOfLog(ms),
    };
    const name = chance.pick(Object.keys(faults));
    say(name);
    await faults[name]?.();
  }

  #faultsOfLog(ms: number): Record<string, () => Promise<unknown>> {
    const { log, open } = this.#place;
    if (log === null) return {};
    const { broker, connect, registry } = log;
    const { relay } = open;
    const crash = async (server: JvmServer) => {
      await server.kill();
      await pause(ms);
      await server.start();
    };
    const hang = async (server: JvmServer) => {
      server.pause();
      await pause(ms);
      server.resume();
    };
    return {
      'broker crashes': () => crash(broker),
      'broker hangs': () => hang(broker),
      ...(connect === null ? {} : { 'Connect crashes': () => crash(connect) }),
      // Its schemas are in memory only.
      ...(registry === null ? {} : { 'registry hangs': () => hang(registry) }),
      ...(relay === null
        ? {}
        : {
            'relay is killed': async () => {
              await relay.stop('SIGKILL');
              await pause(ms);
              relay.start();
            },
            'relay freezes': async () => {
              relay.now.signal('SIGSTOP');
              await pause(ms);
              relay.now.signal('SIGCONT');
            },
          }),
    };
  }

  async compare(): Promise<void> {
    await this.keepAlive();
    const end = performance.now() + 120_000;
    for (;;) {
      try {
        await this.world.caughtUp(this.child);
        break;
      } catch (error) {
        if (!this.child.hasEnded || performance.now() > end) throw error;
        await this.keepAlive();
      }
    }
    await this.world.expectAgreement();
    await this.world.expectJournal();
    say('all agrees');
  }

  sampleMemory(): void {
    if (this.child.hasEnded) return;
    const text = execFileSync('ps', ['-o', 'rss=', '-p', String(this.child.pid)]).toString();
    this.memoryMb.push(Math.round(Number(text) / 1024));
  }
}

async function expectMayEnd(who: string, child: TandemProcess): Promise<void> {
  const code = await child.exited;
  const error = /^error: (\S+)/m.exec(child.output)?.[1] ?? 'nothing';
  say(`  ${who} ended with ${code}: ${error}`);
  expect(`${code} ${error}`, child.output).toMatch(MAY_END);
}

test.each(THROUGH)(`%s: ${MINUTES} minutes of faults under traffic end right`, async (path) => {
  const seed = newSeed();
  say(`${path}, seed ${seed}`);
  await using from = await startPostgres({ settings: { wal_sender_timeout: '3s' } });
  await using to = await startPostgres();
  const source = await freshDatabase({ server: from.connectionString() });
  const target = await freshDatabase({ server: to.connectionString() });
  await using toSource = await startProxy({ host: from.host, port: from.port });
  await using toTarget = await startProxy({ host: to.host, port: to.port });
  const world = await SmallWorld.open({ seed, source, target });
  await using log = path === 'direct' ? null : await startOwnLog(path);
  await using open = await SmallPath.through(path, world, {
    settings: {
      SOURCE_URL: toSource.through(source.connectionString),
      TARGET_URL: toTarget.through(target.connectionString),
      MAX_ROOTS_PER_BATCH: '20',
    },
    servers: log?.servers,
  });
  const soak = new Soak({ open, log, servers: [from, to], proxies: [toSource, toTarget] });
  try {
    await soak.compare();
    await world.watchJournal();
    const end = performance.now() + MINUTES * 60_000;
    for (let round = 1; performance.now() < end; round++) {
      const traffic = startSmallTraffic(source, {
        seed: seed + round,
        perSecond: 100,
        reconnects: true,
      });
      const turn = Math.min(end, performance.now() + COMPARE_EVERY_MS);
      while (performance.now() < turn) {
        await soak.keepAlive();
        await soak.fault();
        await pause(soak.chance.int(0, 3_000));
        soak.sampleMemory();
      }
      say(`${await traffic.end()} transactions`);
      await soak.compare();
    }
    say(`memory in MB: ${soak.memoryMb.join(' ')}`);
    expect(Math.max(...soak.memoryMb)).toBeLessThan(300);
  } finally {
    await soak.child.stop('SIGKILL');
  }
});
