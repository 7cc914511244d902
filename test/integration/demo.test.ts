import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { waitFor } from '../harness/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIMIT_MS = 240_000;

type Demo = {
  readonly child: ChildProcess;
  /** Its temp folder: what it leaves anywhere, it leaves here. */
  readonly folder: string;
  readonly ended: Promise<number | null>;
  output(): string;
};

const started: Demo[] = [];
afterEach(async () => {
  for (const { child, ended, folder } of started.splice(0)) {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
});

/** As `npm run demo -- <args>`, without a terminal. */
async function startDemo(...args: readonly string[]): Promise<Demo> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-demo-test-'));
  await chmod(folder, 0o1777); // started by root, the servers are another user's
  const child = spawn(process.execPath, ['--import', 'tsx', 'demo/main.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code));
  });
  const demo = { child, folder, ended, output: () => output };
  started.push(demo);
  return demo;
}

async function until(demo: Demo, text: string): Promise<void> {
  const what = `the demo to say ${JSON.stringify(text)}`;
  await waitFor(async () => demo.output().includes(text), { what, timeoutMs: 120_000 });
}

/** Processes that know the demo's temp folder: by command line, as servers, or by environment. */
async function processesOf({ folder }: Demo): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found: string[] = [];
  for (const pid of pids) {
    const [command = '', environment = ''] = await Promise.all(
      ['cmdline', 'environ'].map((file) =>
        readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => ''),
      ),
    );
    if (command.includes(folder) || environment.includes(folder)) {
      found.push(`${pid} ${command.replaceAll('\0', ' ')}`);
    }
  }
  return found;
}

async function expectNothingLeft(demo: Demo): Promise<void> {
  await waitFor(async () => (await processesOf(demo)).length === 0, {
    what: 'its processes to go',
  });
  const files = (await readdir(demo.folder)).filter((name) => /^tandem-pg-/.test(name));
  expect(files).toEqual([]);
}

const count = (text = '') => Number(text.replaceAll(',', ''));

test(
  'the demo shows every step, its account adds up, and it leaves nothing behind',
  async () => {
    const demo = await startDemo('--scale', 'small', '--seconds', '3');
    const code = await demo.ended;
    const output = demo.output();
    expect(code, output).toBe(0);

    for (let step = 1; step <= 11; step++) expect(output).toContain(`${step}/11  `);
    expect(output).toMatch(
      /\d of 3 s: lag (\d+(\.\d\d)? s|not known yet) and [\d.]+ \w+, legacy system \d+ changes\/s/,
    );
    expect(output).toMatch(/caught up with [0-9A-F]+\/[0-9A-F]+/);
    expect(output).toMatch(/offices are invalid, and still there/);
    expect(output).toMatch(/tandem run ended by itself with exit code 0, after [0-4]\.\d\d s/);

    expect(output).toMatch(/source and copy +27 tables, [\d,]+ rows: the same/);
    expect(output).toMatch(/both sides agree; [\d,]+ legacy rows are accounted for/);
    const rows = [...output.matchAll(/^ {2}(\w+)((?: +[\d,]+){7})$/gm)];
    expect(rows.length).toBeGreaterThanOrEqual(15);
    for (const [line, entity, cells = ''] of rows) {
      const [source, mirror, ...outcomes] = cells.trim().split(/ +/).map(count);
      expect(source, line).toBe(mirror);
      const [applied = 0, held = 0, quarantined = 0, left = 0] = outcomes;
      expect(applied + held + quarantined + left, line).toBe(mirror);
      if (entity !== 'order_type') expect(source, line).toBeGreaterThan(0);
    }

    const control = [...output].filter((letter) =>
      /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(letter),
    );
    expect(control).toEqual([]);
    expect(output).not.toMatch(/postgresql:\/\/|[0-9a-f]{24}/); // connection strings, passwords
    await expectNothingLeft(demo);
  },
  LIMIT_MS,
);

test(
  'Ctrl-C in the middle of the backfill takes everything down',
  async () => {
    const demo = await startDemo('--scale', 'medium');
    await until(demo, '$ tandem backfill');
    const isRunning = async () =>
      (await processesOf(demo)).some((line) => line.includes('tandem.mjs backfill'));
    await waitFor(isRunning, { what: 'the backfill' });
    demo.child.kill('SIGINT');
    expect(await demo.ended, demo.output()).toBe(130);
    expect(demo.output()).toMatch(/Interrupted: .*\n.*nothing is left running/);
    await expectNothingLeft(demo);
  },
  LIMIT_MS,
);

test(
  'a command that dies is a failure of the demo, which says so and takes everything down',
  async () => {
    const demo = await startDemo('--seconds', '60');
    await until(demo, 'of 60 s: lag');
    const [run = ''] = (await processesOf(demo)).filter((line) => line.includes('tandem.mjs run'));
    process.kill(Number.parseInt(run, 10), 'SIGKILL');
    expect(await demo.ended, demo.output()).toBe(1);
    expect(demo.output()).toMatch(/FAILED {2}tandem run ended early by SIGKILL/);
    await expectNothingLeft(demo);
  },
  LIMIT_MS,
);

test('a command line that cannot be is refused before anything is started', async () => {
  const demo = await startDemo('--scale', 'huge');
  expect(await demo.ended).toBe(2);
  expect(demo.output()).toMatch(/small, medium, full/);
});
