import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { waitFor } from './wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

type Demo = {
  readonly child: ChildProcess;
  /** Its temp folder: what it leaves anywhere, it leaves here. */
  readonly folder: string;
  readonly ended: Promise<number | null>;
  output(): string;
};

const started: Demo[] = [];
/** For `afterEach`. */
export async function stopDemos(): Promise<void> {
  for (const { child, ended, folder } of started.splice(0)) {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}

/** As `npm run demo -- <args>`, without a terminal. */
export async function startDemo(...args: readonly string[]): Promise<Demo> {
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

export async function untilSaid(demo: Demo, text: string): Promise<void> {
  const what = `the demo to say ${JSON.stringify(text)}`;
  await waitFor(async () => demo.output().includes(text), { what, timeoutMs: 120_000 });
}

/** Processes that know the demo's temp folder: by command line, as servers, or by environment. */
export async function processesOf({ folder }: Demo): Promise<string[]> {
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

export async function expectNothingLeft(demo: Demo): Promise<void> {
  await waitFor(async () => (await processesOf(demo)).length === 0, {
    what: 'its processes to go',
  });
  const files = (await readdir(demo.folder)).filter((name) => /^tandem-(pg|jvm)-/.test(name));
  expect(files).toEqual([]);
}
