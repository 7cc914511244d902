import { expect, test } from 'vitest';
import { sharedServer } from '../harness/kafka-stack.ts';
import { startProxy } from '../harness/proxy.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallPath } from '../harness/small-path.ts';
import { tandem, type TandemProcess } from '../harness/tandem-process.ts';

const interrupted = (child: TandemProcess, attempts = 1) =>
  child.logged(
    'interrupted',
    ({ code, attempt }) => code === 'REGISTRY_UNREACHABLE' && Number(attempt) >= attempts,
    60_000,
  );

test('while the registry is away, who writes waits and who reads waits, by name, and nothing is set aside', async () => {
  const { url } = await sharedServer('registry');
  const { hostname, port } = new URL(url);
  await using toRegistry = await startProxy({ host: hostname, port: Number(port) });
  const settings = { SCHEMA_REGISTRY_URL: toRegistry.through(url) };
  await using open = await SmallPath.open('relay-avro', { seed: newSeed(), settings });
  const { world, relay } = open;
  {
    await using first = open.run();
    await world.caughtUp(first, 120_000);
    await world.watchJournal();
    await world.source.query(`update patient set note = 'read' where id < 9`);
    await world.caughtUp(first);
  }
  await toRegistry.refuse(true);
  toRegistry.cut();
  // The relay knows the ids of its schemas; who reads has to ask for them.
  await world.source.query(`update patient set note = 'unread' where id < 9`);
  await using child = open.run();
  await interrupted(child);
  const status = await tandem(['status'], open.settings);
  expect(status.output).toMatch(/interrupted +REGISTRY_UNREACHABLE/);
  // And so has a relay that starts.
  await relay?.stop('SIGTERM');
  relay?.start();
  await world.source.query(`update instruction set status = (status + 1) % 6`);
  if (relay !== null) await interrupted(relay.now, 2);
  await toRegistry.refuse(false);
  await open.expectArrived(child);
  await world.expectJournal();
  expect(await world.query('select from tandem.dead_letter')).toEqual([]);
  expect(child.hasEnded || relay?.now.hasEnded).toBe(false);
}, 300_000);
