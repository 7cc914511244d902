import { startTraffic } from '../../demo/legacy/traffic.ts';
import type { Bench } from './bench.ts';
import { streamDatabase } from './measure-stream.ts';
import { limited, MEMORY_LIMIT_MB, type Line, type Measured } from './report.ts';
import { Worker } from './run-worker.ts';
import { median } from './statistics.ts';
import type { MemorySample } from './worker-task.ts';

const CHANGES_PER_SECOND = 500;
const SLICE_SECONDS = 600;
/** Code is compiled and caches are filled by then. */
const WARM_UP_SHARE = 0.1;

/**
 * The legacy application at work for `--minutes`, and nothing else happens: does the stream's memory
 * stay where it is? By slices of ten minutes, of a short run by tenths.
 */
export async function measureSoak(bench: Bench): Promise<Measured> {
  const { world, options } = bench;
  const totalSeconds = options.minutes * 60;
  bench.say(`${CHANGES_PER_SECOND} changes a second for ${options.minutes} minutes`);
  const targetUrl = await streamDatabase(bench);
  await world.settle();
  const { sourceUrl } = world;
  const work = { kind: 'stream', events: null } as const;
  const worker = new Worker(world, { sourceUrl, targetUrl, work, profile: null });
  const over = new AbortController();
  const traffic = startTraffic({
    ...{ connectionString: sourceUrl, seed: 1, changesPerSecond: CHANGES_PER_SECOND },
    signal: over.signal,
  });
  const timer = setTimeout(() => over.abort(), totalSeconds * 1000);
  // Where the stream fails, nobody goes on for an hour.
  worker.report.catch(() => over.abort());
  const { transactions } = await traffic.finally(() => clearTimeout(timer));
  const report = await worker.stop();
  const { memory } = report;
  const steady = memory.filter(({ atSeconds }) => atSeconds >= totalSeconds * WARM_UP_SHARE);
  const width = Math.min(SLICE_SECONDS, totalSeconds / 10);
  const slopes = {
    residentMbPerHour: slopePerHour(steady, ({ residentMb }) => residentMb),
    heapMbPerHour: slopePerHour(steady, ({ heapMb }) => heapMb),
  };
  return {
    lines: [
      ...slicesOf(memory, width).map(sliceLine(width)),
      plain(
        'soak: slope after the warm-up',
        `resident ${slopes.residentMbPerHour.toFixed(1)} MB/h, heap ${slopes.heapMbPerHour.toFixed(1)} MB/h`,
      ),
      limited({
        what: 'soak: peak memory',
        value: report.peakMemoryBytes === null ? null : report.peakMemoryBytes / 1024 / 1024,
        unit: 'MB',
        limit: MEMORY_LIMIT_MB,
      }),
    ],
    facts: { minutes: options.minutes, transactions, slopes, ...report },
  };
}

function slicesOf(samples: readonly MemorySample[], width: number): MemorySample[][] {
  const slices: MemorySample[][] = [];
  for (const sample of samples) (slices[Math.floor(sample.atSeconds / width)] ??= []).push(sample);
  return slices;
}

const sliceLine =
  (width: number) =>
  (samples: readonly MemorySample[], index: number): Line => {
    const range = (of: (sample: MemorySample) => number) => {
      const values = samples.map(of);
      const all = [Math.min(...values), median(values), Math.max(...values)];
      return all.map((value) => value.toFixed(0)).join(' / ');
    };
    const minutes = (n: number) => ((n * width) / 60).toFixed(1);
    return plain(
      `soak: minutes ${minutes(index)} to ${minutes(index + 1)}, min / median / max MB`,
      `resident ${range((it) => it.residentMb)}, heap ${range((it) => it.heapMb)}`,
    );
  };

const plain = (what: string, ours: string): Line => ({
  ...{ what, ours },
  ...{ floor: '', ratio: null, goal: '', met: null },
});

/** The slope of the straight line through the samples (least squares). */
function slopePerHour(
  samples: readonly MemorySample[],
  of: (sample: MemorySample) => number,
): number {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanAt = mean(samples.map(({ atSeconds }) => atSeconds));
  const meanValue = mean(samples.map(of));
  let above = 0;
  let below = 0;
  for (const sample of samples) {
    above += (sample.atSeconds - meanAt) * (of(sample) - meanValue);
    below += (sample.atSeconds - meanAt) ** 2;
  }
  return (above / below) * 3600;
}
