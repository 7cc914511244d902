import { expect, test } from 'vitest';
import { createLog, createObserver, type LogOptions } from '../../cli/log.ts';
import { errorLines } from '../../cli/print-error.ts';
import { plainProgress, Rate, secondsLeft, type ProgressLine } from '../../cli/progress.ts';
import { makeRedact } from '../../cli/redact.ts';
import { constantName, isLikelySecret } from '../../cli/write-legacy-tables.ts';
import { TandemError } from '../../core/errors.ts';

async function logged(
  options: Partial<LogOptions>,
  write: (log: ReturnType<typeof createObserver>) => void,
) {
  const lines: string[] = [];
  const log = await createLog({
    ...{ level: 'info', format: 'json', colour: false, redact: makeRedact(['hunter2']) },
    ...options,
    write: (line) => void lines.push(line),
  });
  const none = { update: () => undefined, write: () => undefined, close: () => undefined };
  write(createObserver(log, none));
  return lines;
}

test('an event is one line of JSON with time, level, event and facts; a bigint is text', async () => {
  const [line = '', ...more] = await logged({}, (observer) =>
    observer.event('slot.created', { slot: 'tandem', lsn: 2n ** 60n, rows: 3 }),
  );
  expect(more).toEqual([]);
  expect(JSON.parse(line)).toEqual({
    ...{ level: 'info', event: 'slot.created', slot: 'tandem', rows: 3 },
    lsn: '1152921504606846976',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
  });
});

test('on a terminal the same is readable, on one line', async () => {
  const [line, ...more] = await logged({ format: 'pretty' }, (observer) =>
    observer.event('retry', { reason: 'no route\nto host', attempt: 2 }, 'warn'),
  );
  expect(more).toEqual([]);
  expect(line).toMatch(/^\[\d\d:\d\d:\d\d\] WARN: retry reason="no route\\nto host" attempt=2\n$/);
});

test('the level decides what is written; batches are details', async () => {
  const report = {
    ...{
      events: 5,
      changesByTable: new Map([['tasks', { update: 5 }]]),
      transactionsBytes: 100,
      rowsByEntity: new Map([['task', { applied: 4, held: 1 }]]),
      phaseMs: { merge: 1 },
    },
    ...{ position: '0/1' as never, heartbeatLagMs: null },
  };
  const write = (observer: ReturnType<typeof createObserver>) => {
    observer.batch(report);
    observer.event('detail', {}, 'debug');
    observer.event('it');
  };
  expect(await logged({}, write)).toHaveLength(1);
  const all = await logged({ level: 'debug' }, write);
  expect(all).toHaveLength(3);
  expect(JSON.parse(all[0] ?? '')).toMatchObject({
    event: 'batch.committed',
    changes: 5,
    rows: { task: { applied: 4, held: 1 } },
  });
  expect(await logged({ level: 'silent' }, write)).toEqual([]);
});

test('a secret that reaches the log by mistake is hidden', async () => {
  const lines = await logged({}, (observer) => {
    observer.event('oops', { password: 'x', note: 'postgresql://u:anything@h/d and hunter2' });
  });
  expect(lines.join('')).not.toMatch(/hunter2|anything|"x"/);
});

test('the rate is that of the last seconds, and tells the time left', () => {
  const rate = new Rate();
  for (let second = 0; second <= 60; second++) {
    rate.add(second * 1000, second <= 30 ? second * 1000 : 30_000 + (second - 30) * 10);
  }
  expect(rate.perSecond()).toBeCloseTo(10, 0);
  expect(secondsLeft(500, 1000, 50)).toBe(10);
  expect(secondsLeft(500, null, 50)).toBeNull();
  expect(secondsLeft(500, 1000, 0)).toBeNull();
});

test('without a terminal a step is told every few seconds, and when it is done', () => {
  let now = 0;
  const lines: ProgressLine[] = [];
  const progress = plainProgress({
    clock: { now: () => now },
    report: (line) => lines.push(line),
    write: () => undefined,
  });
  for (let i = 0; i <= 120; i++) {
    now = i * 100;
    progress.update('load', 'dispatch_task', i * 1000, 120_000);
  }
  expect(lines.map(({ done }) => done)).toEqual([50_000, 100_000, 120_000]);
  expect(lines[1]).toMatchObject({
    step: 'load',
    subject: 'dispatch_task',
    perSecond: 10_000,
    secondsLeft: 2,
  });
});

const plain = { redact: makeRedact([]), withStack: false };

test('an error is one line with code, facts and cause, and a next step', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5'), {
    code: 'ECONNREFUSED',
  });
  const error = new TandemError('SOURCE_UNREACHABLE', { side: 'source', step: 'read slot' }, cause);
  expect(errorLines(error, plain)).toEqual([
    'error: SOURCE_UNREACHABLE side=source step="read slot" (connect ECONNREFUSED 127.0.0.1:5)',
    `next:  ${error.hint}`,
  ]);
});

test('what the server said may quote a row, so it is not shown', () => {
  const cause = Object.assign(new Error('invalid input syntax for type integer: "Ann Lee"'), {
    severity: 'ERROR',
    code: '22P02',
  });
  const error = new TandemError('TARGET_FAILED', { sqlstate: '22P02' }, cause);
  expect(errorLines(error, plain).join()).not.toContain('Ann');
});

test('a stack is shown for those who ask for it, and an unknown error is a defect', () => {
  const lines = errorLines(new Error('oops'), { ...plain, withStack: true });
  expect(lines[0]).toBe('error: unexpected: oops');
  expect(lines[1]).toMatch(/report it/);
  expect(lines.some((line) => /^\s+at /.test(line))).toBe(true);
  expect(errorLines(new Error('oops'), plain)).toHaveLength(2);
});

test('likely secrets are known by their words, not by their letters', () => {
  const isSecret = (name: string, mirrorType = 'text') => isLikelySecret({ name, mirrorType });
  expect(
    ['password', 'auth_token', 'sq_card_id', 'apiKey', 'secret_key', 'session_key'].filter(
      (it) => !isSecret(it),
    ),
  ).toEqual([]);
  expect(
    ['monkey', 'keyboard_layout', 'discard', 'spin', 'name', 'tokenize'].filter((it) =>
      isSecret(it),
    ),
  ).toEqual([]);
  expect(isSecret('token_count', 'integer')).toBe(false);
});

test('a table becomes a constant that TypeScript takes', () => {
  expect(['dispatch_task', 'text', 'class', '2fa', 'Order Lines', '_'].map(constantName)).toEqual([
    ...['dispatchTask', 'textTable', 'classTable', 't2faTable', 'orderLines', 'tTable'],
  ]);
});
