import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { expect, test } from 'vitest';

type Import = { readonly path: string; readonly isDynamic: boolean };

/** The last column of the table of folders, and each folder may import from itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  connectors: ['core'],
  transforms: ['core'],
  consumers: ['core', 'connectors'],
  backfill: ['core', 'connectors', 'consumers'],
  proof: ['core', 'connectors', 'consumers'],
  monitoring: ['core', 'connectors'],
  relay: ['core', 'connectors'],
  cutover: ['core', 'connectors', 'consumers', 'backfill', 'monitoring', 'proof'],
  cli: [
    ...['core', 'connectors', 'transforms', 'consumers', 'backfill', 'monitoring', 'cutover'],
    ...['proof', 'relay', 'supabase'],
  ],
  supabase: [],
  // The servers of the demo, to try an example out with.
  examples: ['core', 'demo'],
  demo: [
    ...['core', 'connectors', 'transforms', 'consumers', 'backfill', 'monitoring', 'cutover'],
    ...['proof', 'relay', 'cli', 'supabase'],
  ],
};

test('every import goes where the table of folders allows it', () => {
  const root = join(import.meta.dirname, '..', '..');
  const files = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !isForeign(entry.name))
    .flatMap((entry) => typescriptFiles(root, entry.name));
  const broken = files.flatMap((file) =>
    importsOf(readFileSync(join(root, file), 'utf8')).flatMap((it) => complaint(file, it) ?? []),
  );
  expect(files.length).toBeGreaterThan(5);
  expect(broken).toEqual([]);
});

test.each([
  ['core/lsn.ts', '../connectors/postgres/sql.ts'],
  ['connectors/kafka/source.ts', '../postgres/sql.ts'],
  ['consumers/apply.ts', '../transforms/task.ts'],
  ['monitoring/lag.ts', '../consumers/apply.ts'],
  ['proof/mirror/settle.ts', '../../backfill/load.ts'],
  ['cli/main.ts', '../transforms/mapping.ts'],
  ['cli/main.ts', '../demo/main.ts'],
  ['demo/main.ts', '../test/harness/database.ts'],
  ['elsewhere/new.ts', '../core/lsn.ts'],
])('%s may not import %s', (file, path) => {
  expect(complaint(file, { path, isDynamic: false })).not.toBeNull();
});

test('the command line loads the default mapping, but only when it runs', () => {
  const [found] = importsOf(`const mapping = await import('../transforms/mapping.ts');`);
  expect(found).toEqual({ path: '../transforms/mapping.ts', isDynamic: true });
  expect(found && complaint('cli/main.ts', found)).toBeNull();
});

test('imports are found over several lines, as re-exports, and for their effect only', () => {
  const text = `import {\n  a,\n} from './a.ts';\nexport * from './b.ts';\nimport './c.ts';`;
  expect(importsOf(text).map((it) => it.path)).toEqual(['./a.ts', './b.ts', './c.ts']);
});

/** What is wrong with an import, or `null`. Packages are not our subject. */
function complaint(file: string, { path, isDynamic }: Import): string | null {
  if (!path.startsWith('.')) return null;
  const [from = '', system] = file.split('/');
  const [to = '', otherSystem] = normalize(join(dirname(file), path)).split(sep);
  if (from === 'test') return null;
  const allowed = MAY_IMPORT[from];
  if (allowed === undefined) return `${file}: ${from}/ is not in the table of folders`;

  const isSideways = from === 'connectors' && to === 'connectors' && system !== otherSystem;
  const isStaticMapping = from === 'cli' && to === 'transforms' && !isDynamic;
  const isAllowed = from === to || allowed.includes(to);
  return isAllowed && !isSideways && !isStaticMapping ? null : `${file} imports ${path}`;
}

function importsOf(text: string): Import[] {
  const declared = text.matchAll(/^(?:import|export)\b(?:[^'";]*?\bfrom)?\s*['"]([^'"]+)['"]/gm);
  const dynamic = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g);
  return [
    ...Array.from(declared, ([, path = '']) => ({ path, isDynamic: false })),
    ...Array.from(dynamic, ([, path = '']) => ({ path, isDynamic: true })),
  ];
}

function typescriptFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name).replaceAll(sep, '/'));
}

function isForeign(folder: string): boolean {
  return folder.startsWith('.') || ['node_modules', 'dist', 'coverage'].includes(folder);
}
