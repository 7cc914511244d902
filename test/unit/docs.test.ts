import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT } from '../../cli/command.ts';
import { COMMANDS } from '../../cli/commands.ts';
import { SETTING_NAMES, settingFlag, settingInfo, settingsTable } from '../../cli/config.ts';
import { controlSchemaSql } from '../../consumers/control-schema.ts';
import { ERROR_POLICY } from '../../core/errors.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const TABLES = { settings: settingsTable(), errors: errorsTable() };

/** Written by hand, all but docs/mapping.md, which is made from the code and tested elsewhere. */
const PAGES = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'],
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && name !== 'mapping.md')
    .map((name) => `docs/${name}`),
];
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

test('the table of settings is that of the schema', () => {
  const rows = tableAfter(read('docs/operations.md'), '<!-- settings -->');
  const expected = SETTING_NAMES.map((name) => {
    const info = settingInfo(name);
    return [name, settingFlag(name) ?? '', info.default ?? '', info.help];
  });
  expect(rows.map((row) => row.map(plain))).toEqual(expected.map((row) => row.map(plain)));
});

test('the table of errors is that of the code', () => {
  const rows = tableAfter(read('docs/operations.md'), '<!-- errors -->');
  const expected = Object.entries(ERROR_POLICY).map(([code, it]) => [code, it.retry, it.hint]);
  expect(rows.map((row) => row.map(plain))).toEqual(expected.map((row) => row.map(plain)));
});

test('every exit code is explained', () => {
  const rows = tableAfter(read('docs/operations.md'), '## Exit codes');
  expect(rows.map(([code]) => Number(code))).toEqual(Object.values(EXIT));
});

test('the README names every command, and no other', () => {
  const rows = tableAfter(read('README.md'), '## The commands');
  const named = rows.map(([command = '']) => plain(command).replace('tandem ', ''));
  expect(named.sort()).toEqual(COMMANDS.map(({ name }) => name).sort());
});

test.each(PAGES)('%s names no command that does not exist', (page) => {
  const names = new Set([...COMMANDS.map(({ name }) => name), 'help']);
  const used = [...read(page).matchAll(/(?:npx |`)tandem ([a-z]+)/g)].map(([, name]) => name ?? '');
  expect(used.filter((name) => !names.has(name))).toEqual([]);
});

test('every control table is explained', () => {
  const made = controlSchemaSql().flatMap(
    (sql) => /create table if not exists (tandem\.\w+)/.exec(sql)?.[1] ?? [],
  );
  const rows = tableAfter(read('docs/architecture.md'), '## Control tables');
  expect(rows.map(([name = '']) => plain(name)).sort()).toEqual(made.sort());
});

test('every event of the log is explained', () => {
  const rows = tableAfter(read('docs/operations.md'), '## Logs');
  const explained = new Set(
    rows.flatMap(([names = '']) => [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name)),
  );
  expect(loggedEvents().filter((event) => !explained.has(event))).toEqual([]);
});

test.each(PAGES)('every link of %s leads somewhere', (page) => {
  const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link ?? '');
  expect(links.filter((link) => isBroken(page, link))).toEqual([]);
});

test.each(PAGES)('every path that %s names exists', (page) => {
  const named = [...read(page).matchAll(/`(\.?[\w-]+(?:\/[\w.-]+)*\/?)`/g)].map(
    ([, path]) => path ?? '',
  );
  const ours = named.filter((path) => path.includes('/') && isOurs(path));
  expect(ours.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test.each(PAGES)('what %s quotes is what the files say', (page) => {
  const text = read(page);
  const filled = fillQuotes(text);
  // UPDATE_DOCS=1 brings quotes and tables up to date; run the formatter afterwards.
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(join(ROOT, page), fillTables(filled));
  else expect(text).toBe(filled);
});

/** Cells of the first table behind a text, without its head. */
function tableAfter(page: string, text: string): string[][] {
  const start = page.indexOf(text);
  if (start === -1) throw new Error(`the page has no ${text}`);
  const table = /(?:^\|.*\n)+/m.exec(page.slice(start))?.[0] ?? '';
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1));
}

/** A cell as it reads: without code marks, escapes and padding. */
const plain = (cell: string) => cell.replaceAll(/[`\\]/g, '').replaceAll(/\s+/g, ' ').trim();

function errorsTable(): string {
  const rows = Object.entries(ERROR_POLICY).map(
    ([code, { retry, hint }]) => `| \`${code}\` | ${retry} | ${hint.replaceAll('|', '\\|')} |`,
  );
  return ['| code | retry | what to do |', '|---|---|---|', ...rows].join('\n');
}

function fillTables(page: string): string {
  return Object.entries(TABLES).reduce(
    (text, [name, table]) =>
      text.replace(
        new RegExp(`(<!-- ${name} -->\\n)\\n*(?:\\|.*\\n)*\\n*`),
        (_, mark: string) => `${mark}\n${table}\n\n`,
      ),
    page,
  );
}

/**
 * `<!-- quote file -->`, or `<!-- quote file from "…" to "…" -->`: from the first line that begins so
 * to the next one that does, both included.
 */
function fillQuotes(page: string): string {
  return page.replace(
    /(<!-- quote (\S+)(?: from "([^"]+)" to "([^"]+)")? -->\n\n```\w+\n)[^]*?(```)/g,
    (_, head: string, file: string, from?: string, to?: string, tail?: string) => {
      const text = from === undefined ? read(file) : passage(file, from, to ?? '');
      return `${head}${text.trim()}\n${tail}`;
    },
  );
}

function passage(file: string, from: string, to: string): string {
  const lines = read(file).split('\n');
  const first = lines.findIndex((line) => line.startsWith(from));
  const last = lines.findIndex((line, i) => i >= first && line.startsWith(to));
  if (first === -1 || last === -1) throw new Error(`${file} has no ${from} with a ${to} behind it`);
  return lines.slice(first, last + 1).join('\n');
}

/** Names of events, as the engine and the command line hand them to the log. */
function loggedEvents(): string[] {
  const files = ['cli', 'connectors', 'consumers', 'backfill', 'proof', 'monitoring'].flatMap(
    (folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => `${folder}/${name}`),
  );
  const found = files.flatMap((file) =>
    [...read(file).matchAll(/(?:\.event\(\s*|\bevent: )'([^']+)'/g)].map(([, name]) => name ?? ''),
  );
  return [...new Set(found)].sort();
}

function isBroken(page: string, link: string): boolean {
  if (/^[a-z]+:/.test(link)) return !link.startsWith('https://');
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path);
  if (!existsSync(file) || relative(ROOT, file).startsWith('..')) return true;
  return anchor !== undefined && !anchorsOf(readFileSync(file, 'utf8')).has(anchor);
}

/** As GitHub makes them. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading ?? '');
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** A path of this repository, not one of a reader's own project. */
function isOurs(path: string): boolean {
  const [first = ''] = path.split('/');
  return existsSync(join(ROOT, first));
}
