import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';
import { freshPair } from '../harness/database.ts';
import { expectAgreement, legacyWorld, underTraffic } from '../harness/legacy-world.ts';
import { openPath, PATHS } from '../harness/paths.ts';
import { newSeed } from '../harness/seed.ts';
import { tandem, TandemProcess } from '../harness/tandem-process.ts';

describe.each(PATHS.filter((path) => path !== 'direct'))('through %s', (path) => {
  test('killed at random moments under traffic, it ends right', async () => {
    const seed = newSeed();
    const chance = new Random(seed);
    await using pair = await freshPair();
    const { source, target } = pair;
    await legacyWorld(source, seed);
    await using way = await openPath(path, {
      SOURCE_URL: source.connectionString,
      TARGET_URL: target.connectionString,
      TANDEM_SLOT: `slot_${source.name}`,
      HEARTBEAT_SECONDS: '1',
      CHUNK_ROWS: '1000',
    });
    const { settings, run } = way;

    await using traffic = underTraffic(source, seed, 300);
    for (let kills = 0; kills < 3; kills++) {
      await using child = new TandemProcess(run, settings);
      await Promise.race([wait(chance.int(1_000, 6_000)), child.exited]);
      expect(await child.stop('SIGKILL'), `seed ${seed}: ${child.output}`).toBeNull();
    }
    await traffic.end();

    await using child = new TandemProcess(run, settings);
    const caughtUp = await tandem(['status', '--caught-up', '--timeout', '90s'], settings);
    expect(caughtUp.code, `seed ${seed}: ${caughtUp.output}${child.output}`).toBe(0);
    expect(await child.stop('SIGTERM')).toBe(0);
    await expectAgreement(source, target);
  }, 240_000);
});
