import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { buildConfig } from '../../cli/build-config.ts';
import type { Command } from '../../cli/command.ts';
import { COMMANDS } from '../../cli/commands.ts';
import { SETTING_NAMES } from '../../cli/config.ts';
import { readSettings } from '../../cli/read-settings.ts';
import {
  PROFILES,
  read,
  readCompose,
  ROOT,
  runsTandem,
  variables,
  type Service,
} from '../harness/compose-file.ts';

const { services, volumes } = readCompose();
const named = (name: string): Service => {
  const found = services.find((service) => service.name === name);
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
};

test.each(PROFILES)('profile %s has every service that one of its services needs', (profile) => {
  const there = services.filter((service) => service.profiles.includes(profile));
  const names = new Set(there.map(({ name }) => name));
  const missing = there.flatMap(({ name, environment, command, depends_on }) => {
    const texts = [...Object.values(environment).map(String), ...command];
    const hosts = texts.flatMap((text) => [...hostsIn(text)]);
    return [...Object.keys(depends_on), ...hosts]
      .filter((needed) => !names.has(needed))
      .map((needed) => `${name} needs ${needed}`);
  });
  expect(missing).toEqual([]);
});

test('a service is reached where it listens', () => {
  const listens: Readonly<Record<string, readonly string[]>> = {
    'legacy-db': ['5432'],
    'target-db': ['5432'],
    kafka: ['9092', '9093'], // the second is the controller's, for itself
    registry: ['8080'],
    connect: ['8083'],
  };
  const places = services.flatMap(({ environment, command }) =>
    [...Object.values(environment).map(String), ...command].flatMap((text) => [
      ...text.matchAll(/(?:@|http:\/\/|^)([a-z-]+):(\d+)(?:\/|$)/g),
    ]),
  );
  expect(places.length).toBeGreaterThan(10);
  for (const [, host = '', port = ''] of places) expect(listens[host], host).toContain(port);
});

test('what is waited for says when it is healthy, or ends', () => {
  for (const { name, depends_on } of services) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const { healthcheck, restart } = named(other);
      const what = `${name} waits for ${other}`;
      if (condition === 'service_healthy') expect(healthcheck, what).toHaveProperty('test');
      if (condition === 'service_completed_successfully') expect(restart, what).toBe('no');
    }
  }
});

test('Tandem is given settings that there are, with values that it takes', () => {
  const known = new Set<string>(SETTING_NAMES);
  const ours = services.filter(runsTandem);
  expect(ours.length).toBeGreaterThan(4);
  for (const { name, environment } of ours) {
    const texts = Object.entries(environment).map(([key, value]) => [key, String(value)]);
    expect(
      texts.filter(([key = '']) => !known.has(key)),
      name,
    ).toEqual([]);
    const reading = readSettings({
      flags: {},
      environment: Object.fromEntries(texts) as Record<string, string>,
      workFolder: join(ROOT, 'docker'), // no .env there
      envFile: null,
    });
    expect(() => buildConfig(reading, ROOT), name).not.toThrow();
  }
});

test('all through Kafka agree on brokers, topics, format and registry', () => {
  const ours = services.filter(runsTandem).filter(({ name }) => name !== 'direct');
  const agreed = new Set(
    ours.map(({ environment }) => JSON.stringify({ ...environment, CONNECT_URL: undefined })),
  );
  expect(agreed.size).toBe(1);
});

test('Tandem is called with commands and options that there are', async () => {
  for (const { name, command } of services.filter(runsTandem)) {
    const flags = await flagsOf(command);
    expect(flags, `${name}: ${command.join(' ')}`).not.toBeNull();
    const given = command.filter((word) => word.startsWith('--'));
    expect(
      given.filter((flag) => flags?.includes(flag) !== true),
      name,
    ).toEqual([]);
  }
});

test('every port of this machine is for this machine only, can be moved, and is used once', () => {
  const ports = services.flatMap((service) => service.ports);
  const taken = ports.map((port) => /^127\.0\.0\.1:(\d+):\d+$/.exec(port)?.[1]);
  expect(new Set(taken).size).toBe(ports.length);
  expect(taken).not.toContain(undefined);
  const movable = new Set(
    [...variables()].filter(([name]) => name.endsWith('_PORT')).map(([, port]) => port),
  );
  expect(taken.filter((port) => !movable.has(port ?? ''))).toEqual([]);
});

test('what is mounted is there, and every volume is used', () => {
  const sources = services.flatMap((service) =>
    service.volumes.map((it) => it.split(':')[0] ?? ''),
  );
  const files = sources.filter((source) => source.startsWith('.'));
  expect(files.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
  const used = new Set(sources.filter((source) => !source.startsWith('.')));
  expect([...used].sort()).toEqual([...volumes].sort());
  for (const { build } of services) {
    const folder = build?.context ?? '.';
    expect(existsSync(join(ROOT, folder, 'Dockerfile')), folder).toBe(true);
  }
});

test('Prometheus asks the processes that there are, for the rules that there are', () => {
  const config = parse(read('docker/prometheus.yml')) as {
    rule_files: string[];
    scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[];
  };
  const port = Number(/METRICS_PORT=(\d+)/.exec(read('Dockerfile'))?.[1]);
  const asked = config.scrape_configs.flatMap(({ dns_sd_configs }) => dns_sd_configs);
  expect(asked.map((it) => it.port)).toEqual(asked.map(() => port));
  const names = new Set(asked.flatMap((it) => it.names));
  const served = services
    .filter(runsTandem)
    .filter(({ restart }) => restart !== 'no')
    .map(({ name, networks }) => networks?.default.aliases[0] ?? name);
  expect(new Set(served)).toEqual(names);
  const mounted = named('prometheus').volumes.map((volume) => volume.split(':')[1]);
  expect(config.rule_files.filter((file) => !mounted.includes(file))).toEqual([]);
});

test('Grafana finds its data and its dashboard where they are', () => {
  const at = 'docker/grafana/provisioning';
  const sources = parse(read(`${at}/datasources/prometheus.yml`)) as {
    datasources: { url: string }[];
  };
  expect(sources.datasources.map(({ url }) => url)).toEqual(['http://prometheus:9090']);
  const dashboards = parse(read(`${at}/dashboards/tandem.yml`)) as {
    providers: { options: { path: string } }[];
  };
  const { volumes: mounts, environment } = named('grafana');
  const [path = ''] = dashboards.providers.map(({ options }) => options.path);
  expect(mounts).toContain(`./monitoring/dashboards:${path}:ro`);
  const home = String(environment['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH']);
  expect(existsSync(join(ROOT, home.replace(path, 'monitoring/dashboards')))).toBe(true);
});

test('every variable of ours is explained, with its default', () => {
  const page = read('docs/kafka.md');
  const explained = new Map(
    [...page.matchAll(/^\| `(DEMO_\w+)` +\| `([^`]+)` +\|/gm)].map(([, name, value]) => [
      name,
      value,
    ]),
  );
  expect([...variables()].sort()).toEqual([...explained].sort());
});

test('a compose client, where there is one, takes it for every profile', () => {
  const client = composeClient();
  const known = PROFILES.map((profile) => {
    if (client === null) return services.some(({ profiles }) => profiles.includes(profile));
    const [program = '', ...args] = client;
    const options = ['--file', join(ROOT, 'docker-compose.yml'), '--profile', profile];
    return execFileSync(program, [...args, ...options, 'config', '--quiet']).length === 0;
  });
  expect(known).toEqual(PROFILES.map(() => true));
});

/** Hosts of URLs and of `host:port` that are no address. */
function hostsIn(text: string): string[] {
  const found = text.matchAll(/(?:@|:\/\/(?![^/]*@)|^)([a-z][a-z-]*)(?=:\d)/g);
  return [...found].map(([, host]) => host ?? '');
}

async function flagsOf(words: readonly string[]): Promise<readonly string[] | null> {
  let entries = COMMANDS;
  for (const word of words) {
    const definition = await entries.find(({ name }) => name === word)?.load();
    if (definition === undefined) return null;
    if (!('commands' in definition)) return optionNames(definition);
    entries = definition.commands;
  }
  return null;
}

const optionNames = ({ options }: Command) => options.map(({ flags }) => flags.split(' ')[0] ?? '');

function composeClient(): readonly string[] | null {
  const candidates = [['docker', 'compose'], ['docker-compose']];
  return (
    candidates.find(([program = '', ...args]) => {
      const { status, stdout } = spawnSync(program, [...args, 'version', '--short'], {
        encoding: 'utf8',
      });
      return status === 0 && /^v?([2-9]|\d\d)\./.test(stdout); // 1 knows another language
    }) ?? null
  );
}
