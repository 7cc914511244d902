import { expect, test } from 'vitest';
import { checkCounts, checkRemarks } from '../../demo/check-lines.ts';
import { Cleanup } from '../../demo/cleanup.ts';
import { Interrupted, Interruption } from '../../demo/interruption.ts';
import { lagSeconds, liveLine, liveLines } from '../../demo/live-status.ts';
import { logText, parseLogLine } from '../../demo/log-line.ts';
import { parseOptions } from '../../demo/options.ts';
import { cut, wrap } from '../../demo/screen.ts';

test('without options: a small world, fifteen seconds, nothing kept, no Kafka', () => {
  expect(parseOptions([])).toEqual({
    kind: 'options',
    options: { scale: 'small', seconds: 15, keep: false, seed: 1, through: 'direct' },
  });
  expect(parseOptions(['--scale', 'full', '--seconds', '3', '--keep', '--seed', '7'])).toEqual({
    kind: 'options',
    options: { scale: 'full', seconds: 3, keep: true, seed: 7, through: 'direct' },
  });
});

const lag = { position: '0/1', bytes: 10, movedAt: null };

test('the lag is what the newest heartbeat took, unless heartbeats stay away', () => {
  expect(lagSeconds({ ...lag, seconds: 0.9, lastDelaySeconds: 0.02 }, 1)).toBe(0.02);
  expect(lagSeconds({ ...lag, seconds: 7, lastDelaySeconds: 0.02 }, 1)).toBe(7);
  expect(lagSeconds({ ...lag, seconds: null, lastDelaySeconds: null }, 1)).toBeNull();
});

test('the live status fits 80 columns and 24 lines, in a block or in one line', () => {
  const status = {
    second: 4.6,
    seconds: 15,
    lag: { seconds: 0.018, bytes: 4_200 },
    legacy: { perSecond: 301.4, total: 7_412 },
    tandem: { perSecond: null, total: 7_130 },
    entities: Array.from({ length: 19 }, (_, i) => ({
      name: `workflow_template`,
      rows: 969_000 + i,
      added: i - 3,
    })),
  };
  const lines = liveLines(status);
  expect(lines.length).toBeLessThan(20);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(78);
  expect(lines.join('\n')).toMatch(/0\.02 s from commit to commit, 4\.1 kB/);
  expect(liveLine(status)).toMatch(/^5 of 15 s: lag 0\.02 s and 4\.1 kB, legacy system 301 /);
});

test('a check is told in counts and remarks; what the next step makes is said so', () => {
  const topic = { subject: 'target', name: 'tables', why: 'w' } as const;
  const checks = [
    { ...topic, status: 'ok', found: 'f', mend: null },
    { ...topic, status: 'warning', found: '8 of 8 not applied', mend: 'tandem setup' },
    { ...topic, status: 'failure', found: 'not there', mend: 'create it' },
  ] as const;
  expect(checkCounts({ checks })).toContain('target   1 ok, 1 warning, 1 failure');
  expect(checkRemarks({ checks })).toEqual([
    'target, tables: not there yet; the setup makes them',
    'target, tables: not there',
  ]);
});

test('a line of the log is read, anything else is not one', () => {
  const line = parseLogLine('{"level":"warn","time":"t","event":"interrupted","attempt":2}');
  expect(line).toEqual({ level: 'warn', event: 'interrupted', facts: { attempt: 2 } });
  expect(line === null ? '' : logText(line)).toBe('interrupted attempt=2');
  expect(['error: SLOT_LOST', '{"event":', '{}'].map(parseLogLine)).toEqual([null, null, null]);
});

test('an interruption ends the step under way, and the first reason counts', async () => {
  const interruption = new Interruption();
  const guarded = interruption.guard(new Promise(() => undefined));
  interruption.interrupt({ kind: 'failed', error: 'first' });
  interruption.interrupt({ kind: 'signal', signal: 'SIGINT' });
  await expect(guarded).rejects.toBeInstanceOf(Interrupted);
  await expect(interruption.guard(Promise.resolve(1))).rejects.toBeInstanceOf(Interrupted);
  expect(interruption.reason).toEqual({ kind: 'failed', error: 'first' });
});

test('a signal that is waited for interrupts nothing', async () => {
  const interruption = new Interruption();
  const waiting = interruption.untilSignal();
  interruption.interrupt({ kind: 'signal', signal: 'SIGINT' });
  await waiting;
  await expect(interruption.guard(Promise.resolve('on'))).resolves.toBe('on');
  expect(interruption.reason).toBeNull();
});

test('the cleanup goes from the last to the first, also after an error, and once', async () => {
  const done: number[] = [];
  const cleanup = new Cleanup();
  cleanup.defer(async () => void done.push(1));
  cleanup.defer(() => Promise.reject(new Error('no')));
  cleanup.defer(async () => void done.push(3));
  expect(await cleanup.run()).toEqual([new Error('no')]);
  expect(await cleanup.run()).toEqual([]);
  expect(done).toEqual([3, 1]);
});

test('text is wrapped at words, and cut with a sign that it was', () => {
  expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
  expect(wrap('unbreakable x', 4)).toEqual(['unbreakable', 'x']);
  expect([cut('abcdef', 4), cut('abc', 4)]).toEqual(['abc…', 'abc']);
});
