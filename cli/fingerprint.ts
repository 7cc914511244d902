import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import type { Plugin } from 'esbuild';
import type { Fingerprints } from '../consumers/mapping-state.ts';
import type { Mapping } from '../core/entity.ts';
import { ROOT } from './root.ts';

/** The engine's own folder: a mapping is written against it, and is not changed by it. */
const CORE = join(ROOT, 'core') + sep;

/**
 * What the rows of each derived entity follow from, as a hash: the file that defines the entity with
 * all that it imports of the project, without types, comments and formatting; and the versions of
 * the packages that are imported.
 *
 * Not seen: files that a mapping reads by itself, and the environment.
 *
 * @throws Error where a file cannot be read or parsed
 */
export async function fingerprintsOf(mapping: Mapping): Promise<Fingerprints> {
  const derived = mapping.entities.filter(({ kind }) => kind === 'derived');
  const files = new Map(derived.map(({ name, definedAt }) => [name, fileOf(definedAt)]));
  const hashes = await hashesOf([...new Set(files.values())]);
  return new Map([...files].map(([name, file]) => [name, hashes.get(file) ?? '']));
}

const fileOf = (definedAt: string): string => definedAt.replace(/(\?[^:]*)?:\d+$/, '');

async function hashesOf(files: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    entryPoints: files.map((file, i) => ({ in: file, out: String(i) })),
    outdir: '/out',
    absWorkingDir: '/',
    bundle: true,
    write: false,
    metafile: true,
    // Not the names: how they are shortened depends on all of the text, comments and types too.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    format: 'esm',
    platform: 'node',
    packages: 'external',
    plugins: [CORE_STAYS_OUTSIDE],
    logLevel: 'silent',
  });
  return new Map(
    files.map((file, i) => {
      const text = outputFiles.find(({ path }) => path === resolve('/out', `${i}.js`))?.text;
      const imports = metafile.outputs[`out/${i}.js`]?.imports ?? [];
      const packages = imports.map(({ path }) => versionOf(path, file)).sort();
      const hash = createHash('sha256').update(JSON.stringify([text, packages]));
      return [file, hash.digest('hex').slice(0, 16)];
    }),
  );
}

const CORE_STAYS_OUTSIDE: Plugin = {
  name: 'core stays outside',
  setup(building) {
    building.onResolve({ filter: /^[./]/ }, ({ path, resolveDir, kind }) => {
      const file = resolve(resolveDir, path);
      if (kind === 'entry-point' || !file.startsWith(CORE)) return null;
      return { path: `tandem/core/${file.slice(CORE.length)}`, external: true };
    });
  },
};

/** `name@version` of the package that an import is of; the import alone where it has none. */
function versionOf(path: string, importer: string): string {
  const [scope = '', name = ''] = path.split('/');
  const packageName = scope.startsWith('@') ? `${scope}/${name}` : scope;
  for (let folder = dirname(importer); ; folder = dirname(folder)) {
    const file = join(folder, 'node_modules', packageName, 'package.json');
    if (existsSync(file)) {
      const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
      return `${packageName}@${version ?? ''}`;
    }
    if (folder === dirname(folder)) return path;
  }
}
