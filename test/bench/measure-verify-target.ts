import { type Bench } from './bench.ts';
import { withClient } from './database.ts';
import { compared, limited, MEMORY_LIMIT_MB, perSecond, type Measured } from './report.ts';
import { median } from './statistics.ts';
import { countTargets, TARGET_TABLES } from './target-copies.ts';

const OURS = 'bench_verify_target';
const GOAL = 1;

/**
 * The target against the mirror, beside the bulk derive of the same rows by the same engine in the
 * same round: both read and map every root; the one compares where the other writes.
 */
export async function measureVerifyTarget(bench: Bench): Promise<Measured> {
  const { world } = bench;
  const loaded = await bench.loaded();
  const rounds = await bench.rounds('verify-target', async (number) => {
    const url = await world.clone(OURS, loaded);
    const derive = await bench.engine(`verify-derive-${number}`, url, { kind: 'backfill' });
    const verify = await bench.engine(`verify-target-${number}`, url, { kind: 'verify-target' });
    const rows = await withClient(url, (client) => countTargets(client, TARGET_TABLES));
    return { rows, derive, verify };
  });
  await world.drop(OURS);
  const peaks = rounds.map(({ verify }) => verify.peakMemoryBytes ?? NaN);
  const peak = median(peaks) / 1024 / 1024;
  return {
    lines: [
      compared({
        what: 'target against mirror, beside bulk derive',
        oursSeconds: median(rounds.map(({ verify }) => verify.seconds)),
        floorSeconds: median(rounds.map(({ derive }) => derive.seconds)),
        describe: perSecond(rounds[0]?.rows ?? 0, 'rows'),
        goal: GOAL,
      }),
      limited({
        what: 'target against mirror: peak memory',
        value: Number.isNaN(peak) ? null : peak,
        unit: 'MB',
        limit: MEMORY_LIMIT_MB,
      }),
    ],
    facts: { rounds },
  };
}
