import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { buildConfig } from '../../cli/build-config.ts';
import { systemClock } from '../../cli/clock.ts';
import { Engine } from '../../cli/engine.ts';
import { readSettings } from '../../cli/read-settings.ts';
import { generateLegacy } from '../../demo/legacy/generate.ts';
import { createLegacySchema } from '../../demo/legacy/schema.ts';
import { startTraffic } from '../../demo/legacy/traffic.ts';
import { proveAccount } from '../../proof/account/prove-account.ts';
import mapping from '../../transforms/mapping.ts';
import { databaseOf, Notes } from '../harness/apply-bench.ts';
import { freshPair } from '../harness/database.ts';
import { tandem, TandemProcess } from '../harness/tandem-process.ts';
import { faultLines, proofOf } from '../harness/target-proof.ts';
import { waitFor } from '../harness/wait-for.ts';

/** So many different positions of the stream are verified while the legacy application works. */
const MOMENTS = 4;

test('while the stream applies, no difference is ever reported, and a planted one is', async () => {
  await using pair = await freshPair();
  const { source, target } = pair;
  await createLegacySchema(source.connectionString);
  await generateLegacy({ connectionString: source.connectionString, seed: 5, scale: 'tiny' });
  const settings = {
    SOURCE_URL: source.connectionString,
    TARGET_URL: target.connectionString,
    TANDEM_SLOT: `slot_${source.name}`,
    HEARTBEAT_SECONDS: '1',
    // Small, so that there are jobs.
    MAX_ROOTS_PER_BATCH: '100',
  };
  for (const command of ['setup', 'backfill']) {
    const { code, output } = await tandem([command], settings);
    if (code !== 0) throw new Error(output);
  }
  const reading = readSettings({
    flags: {},
    environment: {
      ...settings,
      SOURCE_URL: `${source.connectionString}?sslmode=disable`,
      TARGET_URL: `${target.connectionString}?sslmode=disable`,
    },
    workFolder: tmpdir(),
    envFile: null,
  });
  const notes = new Notes();
  const config = buildConfig(reading, tmpdir());
  const engine = await Engine.open({ config, mapping, observer: notes, clock: systemClock });
  const bench = {
    target: databaseOf('target', target.connectionString),
    model: engine.model,
    notes,
  };
  const prove = async () => {
    const proof = await proofOf(bench, { pageRows: 500, settleMs: 2_000 });
    const account = await proveAccount({
      ...{ target: bench.target, source: null, model: bench.model, observer: notes },
      ...{ entities: null, maxListed: 5, signal: new AbortController().signal },
    });
    const wrong = account.entities.filter(({ agrees }) => !agrees);
    return { proof, wrong, isSettled: proof.isSettled && account.isSettled };
  };

  await using stream = new TandemProcess(['run'], settings);
  const over = new AbortController();
  const { connectionString } = source;
  const traffic = startTraffic({
    ...{ connectionString, seed: 5, changesPerSecond: 150, signal: over.signal },
  });
  const seen = new Set<string>();
  try {
    // A target at rest proves nothing here: it goes on until the stream has moved often enough.
    while (seen.size < MOMENTS) {
      const { proof, wrong } = await prove();
      const faults = faultLines(proof).filter((it) => !/ pending | a job derives/.test(it));
      expect([faults, wrong]).toEqual([[], []]);
      seen.add(Object.values(proof.positions).join());
    }
    await target.query(`update content_type_map set app_label = 'planted'
      where legacy_content_type_id = (select min(legacy_content_type_id) from content_type_map)`);
    const { proof } = await prove();
    expect(proof.entities.find(({ entity }) => entity === 'content_type')?.different).toMatchObject(
      {
        count: 1,
        first: [{ table: 'content_type_map', columns: ['app_label'] }],
      },
    );
  } finally {
    over.abort();
    await traffic;
  }
  await waitFor(async () => (await tandem(['status', '--caught-up'], settings)).code === 0, {
    timeoutMs: 30_000,
    intervalMs: 500,
    what: 'the stream to catch up',
  });
  const { proof, wrong, isSettled } = await prove();
  expect(faultLines(proof)).toHaveLength(1);
  expect([wrong, isSettled]).toEqual([[], true]);
  expect(await stream.stop()).toBe(0);
}, 180_000);
