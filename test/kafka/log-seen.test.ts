import { beforeAll, expect, test } from 'vitest';
import { freePort } from '../../demo/servers/free-port.ts';
import { freshPair } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { waitForValue } from '../harness/scrape.ts';
import { WrittenLog } from './written-log.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

test('a log is seen: who reads it, and how far each topic is behind', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  const topic = log.topic('office');
  {
    const port = await freePort();
    await using child = await log.running({ METRICS_PORT: String(port) });
    await log.send('office', [await log.upsert('office', { id: 70, name: 'o 70' })]);
    await log.caughtUp(child);
    const { out } = await log.done('status');
    expect(out).toMatch(new RegExp(`group ${log.prefix}: stable; \\S+ has 5 partitions`));

    await waitForValue(port, `tandem_log_messages_behind{topic="${topic}"}`, 0);
    expect(await child.stop()).toBe(0);
  }
  await log.send('office', [await log.upsert('office', { id: 71, name: 'o 71' })]);
  const found = JSON.parse((await log.done('status', '--json')).out) as {
    readonly log: { readonly groups: unknown; readonly topics: readonly unknown[] };
  };
  expect(found.log.topics).toContainEqual({
    topic,
    messagesBehind: 1,
    worst: { partition: 0, messagesBehind: 1 },
  });
  expect(found.log.groups).toEqual([{ name: log.prefix, state: 'Empty', members: [] }]);
}, 60_000);
