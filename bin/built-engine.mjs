import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../', import.meta.url);
const BUILDS = new URL('dist/', ROOT);
/** Folders whose TypeScript is the engine. */
const ENGINE = [
  'backfill',
  'cli',
  'connectors',
  'consumers',
  'core',
  'monitoring',
  'proof',
  'relay',
  'transforms',
];
/** A process that has begun with an older build may still load from it. */
const KEPT_BUILDS = 10;

/**
 * The folder of the engine as JavaScript, each file where its source is: `dist/<hash of all
 * sources>/`, so that none is ever stale. It is made when it is not there; null where it cannot be
 * written. See docs/decisions/0004-typescript-at-run-time.md.
 */
export async function builtEngine() {
  const sources = ENGINE.flatMap(typeScriptIn);
  const build = new URL(`${hashOf(sources)}/`, BUILDS);
  if (existsSync(build)) return build;
  try {
    await makeBuild(sources, build);
    await removeOldBuilds();
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC'].includes(error.code)) throw error;
    return null;
  }
  return build;
}

function typeScriptIn(folder) {
  return readdirSync(new URL(`${folder}/`, ROOT), { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file}`)
    .sort();
}

function hashOf(sources) {
  const hash = createHash('sha256');
  for (const file of [...sources, 'package.json', 'bin/built-engine.mjs']) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(new URL(file, ROOT)))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

/** Made beside its place and moved there: another process sees all of it or nothing. */
async function makeBuild(sources, build) {
  const unfinished = new URL(`.${randomBytes(8).toString('hex')}/`, BUILDS);
  await mkdir(unfinished, { recursive: true });
  try {
    const { build: esbuild } = await import('esbuild');
    await esbuild({
      absWorkingDir: fileURLToPath(ROOT),
      entryPoints: sources,
      outbase: fileURLToPath(ROOT),
      outdir: fileURLToPath(unfinished),
      platform: 'node',
      format: 'esm',
      target: 'node20',
      // "Bundled" with nothing but itself, each file is written with its imports named anew.
      bundle: true,
      packages: 'external',
      plugins: [IMPORTS_STAY],
      treeShaking: false,
      sourcemap: 'linked',
      sourcesContent: false,
      logLevel: 'silent',
    });
    await rename(unfinished, build);
  } catch (error) {
    if (!existsSync(build)) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

const IMPORTS_STAY = {
  name: 'imports stay',
  setup(building) {
    building.onResolve({ filter: /^\..*\.ts$/ }, ({ path, kind }) =>
      kind === 'entry-point' ? null : { path: path.replace(/\.ts$/, '.js'), external: true },
    );
  },
};

/** Another process may do the same at the same time: what is gone is gone. */
async function removeOldBuilds() {
  const folders = (await readdir(BUILDS)).map((name) => new URL(`${name}/`, BUILDS));
  const made = await Promise.all(folders.map((it) => stat(it).catch(() => null)));
  const times = new Map(folders.map((folder, i) => [folder, made[i]?.mtimeMs ?? 0]));
  folders.sort((a, b) => times.get(b) - times.get(a));
  for (const old of folders.slice(KEPT_BUILDS)) await rm(old, { recursive: true, force: true });
}
