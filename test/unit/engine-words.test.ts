import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

/** The engine: it serves any pair of databases. Folders that are not there yet are looked at too. */
const ENGINE = [
  ...['core', 'connectors', 'consumers', 'backfill', 'monitoring', 'proof', 'cutover', 'cli'],
  'bin',
];

/** What belongs to the mapping that Tandem brings, as a word or as the beginning of one. */
const WORDS = ['patient', 'doctor', 'treatment', 'jaw', 'tooth', 'teeth', 'instruction', 'clinic'];
const BEGINNINGS = ['orthodon', 'aligner', 'dental', 'dentist'];

/** The one place that knows the mapping that Tandem brings: it is loaded where none is named. */
const LOADS_THE_DEFAULT = 'cli/load-mapping.ts';

test('nothing in the engine, its names, texts and comments, knows what the mapping is about', () => {
  const files = engineFiles();
  expect(files.length).toBeGreaterThan(100);
  expect(files.flatMap((file) => foreignWords(file, read(file)))).toEqual([]);
});

test('one file of the engine names the mapping that Tandem brings', () => {
  // A script for developers, which writes that mapping's page; no command loads it.
  const isScript = (file: string) => /^cli\/mapping-doc[./]/.test(file);
  const naming = engineFiles().filter(
    (file) => read(file).includes('transforms/') && !isScript(file),
  );
  expect(naming).toEqual([LOADS_THE_DEFAULT]);
});

test.each([
  ['const patientId = 1;', 'patient'],
  ['-- the Doctors of an office', 'doctors'],
  [`'dispatch_task'`, 'dispatch_'],
  ['select upper_jaw from it', 'jaw'],
  ['an orthodontic laboratory', 'orthodontic'],
  ['JAW_SCOPE', 'jaw'],
])('%s has a word that the engine must not know', (text, word) => {
  expect(foreignWords('core/it.ts', text)).toEqual([`core/it.ts:1: ${word}`]);
});

test('words that only look like them are free', () => {
  expect(
    foreignWords('core/it.ts', 'await createPatiently(); dispatch(event); jawbreaker'),
  ).toEqual([]);
});

/** As `file:line: word`; the file's own name counts as line 0. */
function foreignWords(file: string, text: string): string[] {
  return [file, ...text.split('\n')].flatMap((line, i) => {
    const words = line
      .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .split(/[^a-z]+/)
      .filter((word) => isForeign(word));
    const tables = /dispatch_/i.test(line) ? ['dispatch_'] : [];
    return [...words, ...tables].map((word) => `${file}:${i}: ${word}`);
  });
}

function isForeign(word: string): boolean {
  const isOne = WORDS.includes(word) || WORDS.includes(word.replace(/s$/, ''));
  return isOne || BEGINNINGS.some((beginning) => word.startsWith(beginning));
}

function engineFiles(): string[] {
  const folders = new Set(readdirSync(ROOT));
  return ENGINE.filter((folder) => folders.has(folder)).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1)),
  );
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}
