import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layOutImage } from '../harness/image-files.ts';

let parent = '';
const root = () => join(parent, 'tandem');
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'tandem-built-'));
  await layOutImage(root());
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const NOBODY = 65_534;
const SERVER = 'postgresql://a@127.0.0.1:1/a';
const NOWHERE = { SOURCE_URL: SERVER, TARGET_URL: SERVER };

/** Runs this copy of Tandem; what it prints, whatever its exit code is. */
async function tandem(argv: readonly string[], user: { uid?: number; gid?: number } = {}) {
  const options = { cwd: parent, env: { PATH: process.env['PATH'], ...NOWHERE }, ...user };
  const program = [join(root(), 'bin', 'tandem.mjs'), ...argv];
  const ended = promisify(execFile)(process.execPath, program, options);
  const { stdout, stderr } = await ended.catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  return stdout + stderr;
}

const builds = () => readdirSync(join(root(), 'dist'));

function edit(file: string, from: string, to: string): void {
  const path = join(root(), file);
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
}

test('the engine is built once, by whoever comes first, and again when its sources are others', async () => {
  const together = await Promise.all([1, 2, 3].map(() => tandem(['--version'])));
  for (const output of together) expect(output).toMatch(/^\d+\.\d+\.\d+\n$/);
  const [first, ...more] = builds();
  expect(more).toEqual([]);

  edit('cli/main.ts', 'Keeps a re-modelled Supabase', 'Keeps a changed');
  expect(await tandem(['--help'])).toContain('Keeps a changed');
  edit('cli/main.ts', 'Keeps a changed', 'Keeps a re-modelled Supabase');
  expect(await tandem(['--help'])).toContain('Keeps a re-modelled Supabase');
  expect(builds()).toHaveLength(2);
  expect(builds()).toContain(first);
});

test('where nothing can be written it runs from its sources, and loads a mapping', async () => {
  const mapping = join(parent, 'mapping.ts');
  const core = join(root(), 'core', 'errors.ts');
  writeFileSync(mapping, `import '${core}'; const it: number = 1; export default it;`);
  for (const folder of [parent, root()]) chmodSync(folder, 0o555);
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const output = await tandem(['check', '--mapping', mapping], user);
  expect(output).toMatch(/default export is not a Mapping/);
  expect(readdirSync(root())).not.toContain('dist');
  for (const folder of [parent, root()]) chmodSync(folder, 0o755);
});

test('a stack names the lines of the sources', async () => {
  const output = await tandem(['status', '--log-level', 'debug']);
  const [, file = '', line = ''] = /at openClient \((.*):(\d+):\d+\)/.exec(output) ?? [];
  expect(file).toBe(join(root(), 'connectors', 'postgres', 'connection.ts'));
  expect(readFileSync(file, 'utf8').split('\n')[Number(line) - 1]).toContain('connectionError(');
});

test('builds that nothing runs any more are removed', async () => {
  for (let i = 0; i < 13; i++) {
    const old = join(root(), 'dist', `old-${i}`);
    mkdirSync(old, { recursive: true });
    utimesSync(old, i, i);
  }
  await tandem(['--version']);
  expect(builds()).toHaveLength(10);
  expect(builds()).not.toContain('old-3');
  expect(builds()).toContain('old-4');
});
