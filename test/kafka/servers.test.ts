import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, test } from 'vitest';
import { startBroker, type Broker } from '../../demo/servers/kafka/broker.ts';
import { fetchPart } from '../../demo/servers/kafka/fetch-part.ts';
import { javaMajor, javaStack } from '../../demo/servers/kafka/java.ts';
import { kafkaClient } from '../harness/kafka-stack.ts';
import { readTopic } from '../harness/topic.ts';
import { waitFor } from '../harness/wait-for.ts';
import { isAlive } from '../../demo/servers/is-alive.ts';

beforeAll(async () => {
  await fetchPart('kafka'); // the first time ever, Maven fetches it
}, 600_000);

test('a broker that is killed and started again has its messages, on the same port', async () => {
  await using broker = await startBroker();
  const { pid, bootstrap } = broker;
  await produce(broker, ['one', 'two']);
  await broker.kill();
  expect(isAlive(pid)).toBe(false);
  await expect(listTopics(broker)).rejects.toThrow(/ECONNREFUSED/);

  await broker.start();
  expect(broker.pid).not.toBe(pid);
  expect(broker.bootstrap).toBe(bootstrap);
  await produce(broker, ['three']);
  const seen = await readTopic(bootstrap, 'notes', { count: 3 });
  expect(seen.map(({ value }) => String(value))).toEqual(['one', 'two', 'three']);
}, 120_000);

test('a broker that is paused does not answer, and goes on when it is resumed', async () => {
  await using broker = await startBroker();
  await produce(broker, ['one']);
  broker.pause();
  await expect(listTopics(broker)).rejects.toThrow(/timed out|timeout/i);
  broker.resume();
  await waitFor(() => listTopics(broker).catch(() => false), { what: 'the broker to answer' });

  await broker.restart();
  expect(await listTopics(broker)).toContain('notes');
}, 120_000);

test('a broker that cannot start says why', async () => {
  const broken = startBroker({ settings: { 'process.roles': 'spectator' } });
  await expect(broken).rejects.toThrow(/spectator/);

  const tooSmall = startBroker({ jvm: ['-Xms1k', '-Xmx1k'] });
  await expect(tooSmall).rejects.toThrow(/the Kafka broker did not start.*too small/is);
});

test('a broker ends, with its data, when its program is killed', async () => {
  const module = new URL('../../demo/servers/kafka/broker.ts', import.meta.url).href;
  const code = `
    import { startBroker } from ${JSON.stringify(module)};
    const { pid, logFile } = await startBroker();
    console.log(JSON.stringify({ pid, logFile }));
    setInterval(() => undefined, 1000);`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  const program = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(program.stdout), 'line')) as [string];
  const { pid, logFile } = JSON.parse(line) as { pid: number; logFile: string };
  expect(isAlive(pid) && existsSync(logFile)).toBe(true);

  program.kill('SIGKILL');
  await waitFor(async () => !isAlive(pid) && !existsSync(dirname(logFile)), {
    what: 'the broker and its data to be gone',
  });
});

test('without Java or Maven it is said what to install', () => {
  const module = new URL('../../demo/servers/kafka/java.ts', import.meta.url).href;
  const code = `
    import { javaStack } from ${JSON.stringify(module)};
    console.log(JSON.stringify(javaStack()));`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  const env = { PATH: '/nowhere', JAVA_HOME: '/nowhere' };
  const said = execFileSync(process.execPath, args, { env, encoding: 'utf8' });
  expect(JSON.parse(said)).toMatchObject({
    kind: 'missing',
    missing: expect.stringMatching(/Java 17 or newer and Maven.*apt-get install/) as string,
  });
  expect(javaStack().kind).toBe('available');
});

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['openjdk version "25" 2025-09-16', 25],
  ['java version "1.8.0_392"', 8],
  ['sh: java: not found', 0],
])('the version is read from: %s', (printed, major) => {
  expect(javaMajor(printed)).toBe(major);
});

async function produce(broker: Broker, values: readonly string[]): Promise<void> {
  const kafka = kafkaClient(broker.bootstrap);
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  await Promise.all([admin.connect(), producer.connect()]);
  await admin.createTopics({ topics: [{ topic: 'notes', numPartitions: 1 }] });
  await producer.send({ topic: 'notes', messages: values.map((value) => ({ value })) });
  await Promise.all([admin.disconnect(), producer.disconnect()]);
}

/** With little patience. */
async function listTopics(broker: Broker): Promise<string[]> {
  const admin = kafkaClient(broker.bootstrap, {
    retry: { retries: 0 },
    requestTimeout: 1_000,
  }).admin();
  try {
    await admin.connect();
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}
