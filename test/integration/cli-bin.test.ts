import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { Workplace, type Ran } from './cli-run.ts';
import { smallMapping, smallWorkplace, readText } from './cli-small-mapping.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BIN = join(ROOT, 'bin', 'tandem.mjs');

/** The program itself, in a process of its own. */
async function tandem(work: Workplace, argv: readonly string[], bin = BIN): Promise<Ran> {
  const options = { cwd: work.folder, env: { PATH: process.env['PATH'], ...work.environment } };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [bin, ...argv], options);
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

test('the program starts anywhere, shows its version, and passes the exit code on', async () => {
  using work = new Workplace();
  const version = await tandem(work, ['--version']);
  expect(version).toMatchObject({ code: 0, err: '' });
  expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(await tandem(work, ['nonsense'])).toMatchObject({ code: 2, out: '' });
});

test('a mapping in TypeScript is loaded from the working folder, imports included', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  work.write('my/names.ts', `export const name: string = 'mine';`);
  work.write(
    'my/mapping.ts',
    `import { name } from './names.ts';\n${smallMapping([[`name: 'small', migrations: './`, `name, migrations: '../`]])}`,
  );
  const { code, out, err } = await tandem(work, ['check', '--mapping', './my/mapping.ts']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/ok +mine +2 entities/);
});

test.each<[string, [string, string][], RegExp]>([
  [
    'that does not parse',
    [['entities: [offices', 'entities: [[offices']],
    /FAILURE +loads .*mapping\.ts: does not parse: .* at .*mapping\.ts:\d+:\d+/,
  ],
  ['with a missing import', [[`/ref.ts`, `/x.ts`]], /an import is missing/],
])('a mapping %s is named with file and place, without a stack', async (_, replace, found) => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const text =
    replace[0]?.[0] === '/ref.ts' ? `import './x.ts';\n${smallMapping()}` : smallMapping(replace);
  work.write('mapping.ts', text);
  const { code, out, err } = await tandem(work, ['check']);
  expect(code).toBe(1);
  expect(out).toMatch(found);
  expect(`${out}${err}`).not.toMatch(/^\s+at /m);
});

test('init lists the tables of the source as declarations that compile', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await pair.source.query(`create schema billing; create type mood as enum ('good');
    create domain email as varchar(90) not null;
    create table billing."Line Items" (a int, "b-c" numeric(8,2) not null, "class" mood, mail email, tags text[], api_key text, primary key (a, "b-c"));
    create table no_key (it int)`);
  const { code, out, err } = await tandem(work, ['init']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain('wrote mapping/legacy.ts\nthe source has 4 tables\n');
  const text = readText(work, 'mapping/legacy.ts');
  expect(text).toContain('secret_token: text.neverRead, // likely a secret');
  expect(text).toContain(`legacyTable('billing.Line Items', ['a', 'b-c'], {`);
  expect(text).toContain('api_key: text.neverRead');
  expect(text).toContain('// export const noKey');

  mkdirSync(join(work.folder, 'node_modules'));
  symlinkSync(ROOT, join(work.folder, 'node_modules', 'tandem'));
  symlinkSync(join(ROOT, 'node_modules', '@types'), join(work.folder, 'node_modules', '@types'));
  work.write('package.json', '{ "type": "module" }');
  const strict = [
    '--noEmit',
    '--strict',
    '--module',
    'NodeNext',
    '--target',
    'ES2022',
    '--allowImportingTsExtensions',
    '--skipLibCheck',
    '--types',
    'node',
  ];
  const compiled = await tandem(
    work,
    [...strict, 'mapping/legacy.ts'],
    join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
  );
  expect(compiled).toEqual({ code: 0, out: '', err: '' });

  work.write('mapping/legacy.ts', '// mine');
  expect((await tandem(work, ['init'])).out).toContain(
    'kept  mapping/legacy.ts: it exists already',
  );
  expect(readText(work, 'mapping/legacy.ts')).toBe('// mine');
});

test('installed as a dependency it works in the folder of its user', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  mkdirSync(join(work.folder, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(ROOT, join(work.folder, 'node_modules', 'tandem'));
  const bin = join(work.folder, 'node_modules', '.bin', 'tandem');
  symlinkSync(join('..', 'tandem', 'bin', 'tandem.mjs'), bin);
  const core = dirname(join(ROOT, 'core', 'x'));
  work.write('mapping.ts', smallMapping().replaceAll(core, 'tandem/core'));
  work.write('package.json', '{ "type": "module" }');
  const { code, err } = await tandem(work, ['check'], bin);
  expect({ code, err }).toEqual({ code: 0, err: '' });
});
