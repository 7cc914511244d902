import { PassThrough } from 'node:stream';
import type { MultiBar } from 'cli-progress';
import { expect, test } from 'vitest';
import { BatchSummary } from '../../cli/batch-summary.ts';
import { stepLine, stepProgress, subjectLine } from '../../cli/step-progress.ts';
import type { BatchReport } from '../../core/ports.ts';

test('a bar shows rows, rows per second and the time left, on 80 columns too', () => {
  const subject = { name: 'dispatch_task', done: 5_350_000, total: 10_700_000, perSecond: 210_000 };
  for (const columns of [80, 120]) {
    const line = subjectLine(subject, columns);
    expect(line).toMatch(/^ {4}dispatch_task +(█+)░+ +50% +5,350,000 rows +210,000\/s 25 s left$/);
    expect(line.length).toBeLessThan(columns);
  }
  expect(subjectLine({ ...subject, total: null, perSecond: null }, 80)).toMatch(
    / 0% +5,350,000 rows$/,
  );
});

test('a step counts what is finished of it', () => {
  const step = { name: 'load', finished: 27, done: 15_340, perSecond: 21_000 };
  expect(stepLine(step, 80)).toMatch(/^ {2}load +27 tables +15,340 rows +21,000\/s$/);
});

type FakeBar = { line: string; update(value: number, payload: { line: string }): void };

function screen() {
  const calls: string[] = [];
  const shown: FakeBar[] = [];
  const stream = new PassThrough();
  stream.on('data', (text: Buffer) => calls.push(`stream ${text.toString().trim()}`));
  const bars = {
    create() {
      const bar: FakeBar = { line: '', update: (_value, { line }) => void (bar.line = line) };
      shown.push(bar);
      return bar;
    },
    remove: (bar: FakeBar) => void shown.splice(shown.indexOf(bar), 1),
    update: () => calls.push('draw'),
    stop: () => calls.push('stop'),
    log: (text: string) => calls.push(`log ${text.trim()}`),
  } as unknown as MultiBar;
  const progress = stepProgress({
    clock: { now: () => 0 },
    stream: stream as unknown as NodeJS.WriteStream,
    bars: () => bars,
  });
  return { calls, shown, progress };
}

test('only what is being worked on has a bar: many tables do not fill the screen', () => {
  const { shown, progress } = screen();
  for (let i = 0; i < 40; i++) progress.update('load', `table_${i}`, 10, 10);
  progress.update('load', 'large', 1, 10);
  expect(shown.map(({ line }) => line)).toEqual([
    expect.stringContaining('40 tables'),
    expect.stringContaining('large'),
  ]);
  progress.update('load', 'large', 10, 10);
  expect(shown.map(({ line }) => line)).toEqual([expect.stringContaining('41 tables')]);
});

test('a log line goes above the bars while there are any, plainly else, and none is lost', () => {
  const { calls, progress } = screen();
  progress.write('one\n');
  progress.update('load', 'a', 1, 2);
  progress.write('two\n');
  progress.close();
  progress.write('three\n');
  progress.close();
  expect(calls).toEqual(['stream one', 'log two', 'draw', 'stop', 'stream three']);
});

const report = (events: number, heartbeatLagMs: number | null): BatchReport => ({
  events,
  transactionsBytes: 0,
  changesByTable: new Map(),
  rowsByEntity: new Map(),
  phaseMs: {},
  position: '0/1' as BatchReport['position'],
  heartbeatLagMs,
});

test('batches are summed up in a line every few seconds', () => {
  const summary = new BatchSummary(1_000);
  const lines = [0, 400, 800, 1_200, 1_600].map((ms, i) =>
    summary.add(report(30, i === 1 ? 12.4 : null), ms),
  );
  expect(lines.map((line) => line !== null)).toEqual([false, false, false, true, false]);
  expect(lines[3]).toEqual({
    ...{ changes: 120, changesPerSecond: 100, batches: 4, lagMs: 12, position: '0/1' },
  });
});

test('a quiet source is told of once a minute', () => {
  const summary = new BatchSummary(1_000);
  const told = Array.from({ length: 122 }, (_, second) =>
    summary.add(report(0, 1), second * 1_000),
  ).filter((line) => line !== null);
  expect(told).toHaveLength(2);
});
