import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';
import { DriftBench } from '../harness/drift-bench.ts';
import { driftModules } from '../harness/drift-modules.ts';
import { newSeed } from '../harness/seed.ts';
import { tandem, TandemProcess, type Settings } from '../harness/tandem-process.ts';

test('killed while columns widen, come, go and come back, and tables join, under traffic: it ends right', async () => {
  const seed = newSeed();
  const chance = new Random(seed);
  await using bench = await DriftBench.open();
  using modules = driftModules();
  const settings = (mapping: string): Settings => ({
    SOURCE_URL: bench.source.connectionString,
    TARGET_URL: bench.target.connectionString,
    TANDEM_SLOT: bench.source.name,
    HEARTBEAT_SECONDS: '1',
    CHUNK_ROWS: '100',
    MAPPING: modules.file(mapping),
  });
  {
    // Before the first load, what is missing would be told to a person.
    await using first = new TandemProcess(['run'], settings('PLAIN'));
    const loaded = await tandem(['status', '--caught-up'], settings('PLAIN'));
    expect(loaded.code, `seed ${seed}: ${loaded.output}${first.output}`).toBe(0);
    await first.stop('SIGKILL');
  }
  await using writers = await bench.writers(seed);
  const changes = [
    'alter table patient alter column id type bigint',
    'alter table patient alter column name type varchar(30)',
    'alter table patient rename column name to called',
    'alter table patient rename column called to name',
    'alter table patient alter column name type text',
    'alter table visit alter column id type bigint',
  ];
  for (const [round, change] of changes.entries()) {
    const mapping = ['PLAIN', 'TALL', 'VISITED'][round % 3] ?? 'PLAIN';
    await using child = new TandemProcess(['run'], settings(mapping));
    await wait(chance.int(1_500, 3_500));
    await bench.source.query(change);
    await Promise.race([wait(chance.int(200, 2_500)), child.exited]);
    expect(await child.stop('SIGKILL'), `seed ${seed}: ${child.output}`).toBeNull();
  }
  await using child = new TandemProcess(['run'], settings('VISITED'));
  await bench.state('visit', 'active');
  await bench.state('patient', 'active');
  await writers.stop();
  await bench.caughtUp().catch((error: unknown) => {
    throw new Error(`seed ${seed}: ${String(error)} ${child.output}`);
  });
  expect(await child.stop('SIGTERM'), `seed ${seed}: ${child.output}`).toBe(0);
  await bench.expectMirror('office', ['id', 'name', 'note']);
  await bench.expectMirror('patient', ['id', 'office_id', 'name', 'story']);
  await bench.expectMirror('visit', ['id', 'patient_id', 'words']);
  await bench.expectTarget();
}, 150_000);
