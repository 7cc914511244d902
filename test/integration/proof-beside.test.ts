import { expect, test } from 'vitest';
import { waitFor } from '../harness/wait-for.ts';
import { FaultsBench } from './proof-faults-bench.ts';

type Line = Readonly<Record<string, unknown>>;

const linesOf = (bench: FaultsBench, event: string): Line[] =>
  bench.log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line['event'] === event);

async function lastProof(bench: FaultsBench): Promise<unknown> {
  const { out } = await bench.work.run('status', '--json');
  return (JSON.parse(out) as { proof: unknown }).proof;
}

test(
  'run proves all of it again and again beside the stream, tells a mismatch, and mends nothing',
  { timeout: 120_000 },
  async () => {
    await using bench = await FaultsBench.open({ VERIFY_EVERY: '1s' });
    const passes = (proof: string, mismatches: number) =>
      linesOf(bench, 'proof complete').filter(
        (line) => line['proof'] === proof && line['mismatches'] === mismatches,
      ).length;
    const options = { what: 'a pass', timeoutMs: 60_000 };
    await waitFor(async () => passes('account', 0) >= 2, options);
    expect([passes('mirror', 0) >= 2, passes('target', 0) >= 2]).toEqual([true, true]);
    expect(await lastProof(bench)).toMatchObject({ verdict: 'agrees' });
    const { out } = await bench.work.run('status');
    expect(out).toMatch(/^proof +agrees, \d+ s ago$/m);

    await bench.target(`update legacy.office set name = 'secret' where id = 11;
    update samples set exact = 99.99 where id = tandem.uuid_of('sample', 1)`);
    await waitFor(async () => passes('target', 2) > 0, options);
    const told = linesOf(bench, 'proof mismatch').map(({ proof, subject }) => [proof, subject]);
    expect(told).toEqual(
      expect.arrayContaining([
        ['mirror', 'office'],
        ['target', 'office'],
        ['target', 'sample'],
        ['account', 'sample'],
      ]),
    );
    expect(bench.log).not.toContain('secret');
    expect(bench.log).not.toContain('99.99');
    expect(await lastProof(bench)).toMatchObject({ verdict: 'differs' });

    await bench.source(`insert into office values (600, 'streamed')`);
    await bench.caughtUp();
    expect((await bench.verify('--repair')).code).toBe(0);
    expect(linesOf(bench, 'proof interrupted')).toEqual([]);
  },
);

test(
  'a pass that was broken off by the end of the process goes on where it was',
  { timeout: 120_000 },
  async () => {
    await using bench = await FaultsBench.open({ VERIFY_EVERY: '1h' });
    const options = { what: 'a pass', timeoutMs: 60_000 };
    await waitFor(async () => linesOf(bench, 'proof complete').length === 3, options);
    await bench.stop();
    // As if it had ended behind its first table, which is not looked at again.
    const [pass] = await bench.pair.target.query('select id, scope from tandem.proof');
    await bench.target(`update tandem.proof set finished_at = null, is_full = false`);
    const state = {
      ...{ rows: 24, ranges: 1, skippedRanges: 0, checksum: '7', mismatches: [], isCutOff: false },
      ...{ unsettled: [], unsettledCount: 0, openRanges: 0, reason: null, lower: null },
      isFinished: true,
    };
    await bench.pair.target.query(`insert into tandem.proof_table values ($1, 'office', $2)`, [
      pass?.['id'],
      JSON.stringify(state),
    ]);
    await bench.target(`update legacy.office set name = 'x' where id = 11`);
    await bench.start();
    await waitFor(async () => linesOf(bench, 'proof complete').length === 3, options);
    const complete = linesOf(bench, 'proof complete').map(({ proof, mismatches }) => [
      proof,
      mismatches,
    ]);
    expect(complete).toEqual([
      ['mirror', 0],
      ['target', 1],
      ['account', 0],
    ]);
  },
);
