import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Entity, Mapping } from '../core/entity.ts';
import type { RelationNode, ShapeNode } from '../core/shape.ts';
import { dependenciesOf } from './mapping-doc/dependencies.ts';
import { readHelpers, readMap, readWords, type Helper } from './mapping-doc/source-code.ts';
import { readTargetColumns, type DeclaredColumn } from './mapping-doc/target-columns.ts';
import { ROOT } from './root.ts';

const TRANSFORMS = join(ROOT, 'transforms');
export const DOC_FILE = join(ROOT, 'docs', 'mapping.md');

type Surroundings = {
  readonly targets: ReadonlyMap<string, readonly DeclaredColumn[]>;
  readonly helpers: ReadonlyMap<string, Helper>;
};

/** The mapping as a document, made from its code and from running it. */
export async function mappingDoc(): Promise<string> {
  const { default: mapping } = await import('../transforms/mapping.ts');
  const codes = await import('../transforms/codes.ts');
  const surroundings: Surroundings = {
    targets: readTargetColumns(join(TRANSFORMS, mapping.migrations ?? '')),
    helpers: readHelpers(TRANSFORMS),
  };
  const sections = mapping.entities.map((entity) => entitySection(entity, surroundings));
  return [
    ...['# Mapping', '', INTRODUCTION, '', ...overview(mapping), ''],
    ...sections.flatMap((section) => [section.text, '']),
    ...glossary(sections.flatMap((section) => [...section.helpers])),
    ...['', ...codeTables(codes.CODE_TABLES), ''],
  ].join('\n');
}

const INTRODUCTION = `\
Made by \`npm run docs:mapping\` from \`transforms/\`; a test fails where the two differ.

The column *rule* is the expression in the code, with its comment. The column *depends on* was found
by trying: the code was run on made-up legacy rows, one value was changed at a time, and what changed
in the target row depends on it. A path names relations of the tree that the entity reads;
\`orders?\` is which related rows there are.`;

function overview(mapping: Mapping): string[] {
  return [
    '| entity | from | to |',
    '|---|---|---|',
    ...mapping.entities.map((entity) => {
      const targets = entity.targets.map((target) => `\`${target}\``).join(', ');
      return `| [${entity.name}](#${entity.name}) | \`${entity.shape.table.name}\` | ${targets} |`;
    }),
  ];
}

function entitySection(
  entity: Entity,
  { targets, helpers }: Surroundings,
): { text: string; helpers: readonly Helper[] } {
  const written = readMap(entity.definedAt);
  const dependencies = dependenciesOf(entity, readWords(entity.definedAt.replace(/:\d+$/, '')));
  const target = entity.targets[0] ?? '';
  const columns = targets.get(target) ?? [];
  const typeOf = new Map(columns.map((column) => [column.name, column.type]));
  const file = basename(entity.definedAt).replace(/:\d+$/, '');
  const used = [...written.names].flatMap((name) => helpers.get(name) ?? []);
  const rows = [...written.rules].map(([column, { rule, comment }]) => {
    const paths = [...(dependencies.get(column) ?? [])].sort().map((path) => `\`${path}\``);
    const note = comment === '' ? '' : `<br>${escaped(comment)}`;
    return `| \`${column}\` | ${typeOf.get(column) ?? '?'} | ${paths.join(', ')} | ${code(rule)}${note} |`;
  });
  const decides = [...(dependencies.get(null) ?? [])].sort().map((path) => `\`${path}\``);
  const text = [
    `## ${entity.name}`,
    '',
    written.summary,
    '',
    `- Written in [\`transforms/${file}\`](../transforms/${file}), target table \`${target}\`${entity.kind === 'journal' ? ', a journal: appended once per captured update, never changed' : ''}`,
    `- Id: \`${written.rules.get('id')?.rule ?? ''}\``,
    `- Reads:`,
    '',
    ...treeLines(entity.shape).map((line) => `  ${line}`),
    '',
    '| target column | type | depends on | rule |',
    '|---|---|---|---|',
    ...rows,
    '',
    ...(written.preamble.length === 0
      ? []
      : ['Where:', '', '```ts', ...written.preamble, '```', '']),
    ...written.exclusions.map(
      ({ rule, when }) =>
        `No row by rule \`${rule}\`: \`${when}\`; depends on ${decides.join(', ')}.\n`,
    ),
    ...leftOut(columns, new Set(written.rules.keys())),
  ];
  return { text: text.join('\n').trimEnd(), helpers: used };
}

/** Columns of the target table that the entity does not write, and why. */
function leftOut(
  columns: readonly DeclaredColumn[],
  writtenColumns: ReadonlySet<string>,
): string[] {
  const others = columns.filter(({ name }) => !writtenColumns.has(name));
  const list = (wanted: readonly DeclaredColumn[]) =>
    wanted.map(({ name }) => `\`${name}\``).join(', ');
  const owned = others.filter(({ owner, waitsFor }) => owner === 'target' && waitsFor === null);
  const engine = others.filter(({ owner }) => owner === 'engine');
  const waiting = others.filter(({ waitsFor }) => waitsFor !== null);
  const rest = others.filter((it) => it.owner === 'replication' && it.waitsFor === null);
  const line = (what: string, wanted: readonly DeclaredColumn[]) =>
    wanted.length === 0 ? [] : [`- ${what}: ${list(wanted)}`];
  return [
    'Not written:',
    '',
    ...line('owned by the target', owned),
    ...line('kept by the engine', engine),
    ...waiting.map(
      ({ name, waitsFor }) =>
        `- pointing at a table that is not mapped yet: \`${name}\` → ${waitsFor}`,
    ),
    ...line('left out', rest),
  ];
}

/** The tree of legacy rows, one relation a line. A shape that repeats itself is shown once. */
function treeLines(
  shape: ShapeNode,
  label = '',
  depth = 0,
  above: readonly string[] = [],
): string[] {
  const indent = '  '.repeat(depth);
  const columns = shape.columns.map((column) => `\`${column}\``).join(', ');
  const own = `${indent}- ${label}\`${shape.table.name}\`: ${columns}`;
  const path = [...above, `${label}${shape.table.name}`];
  return [
    own,
    ...Object.entries(shape.relations).flatMap(([name, relation]) =>
      relationLines(name, relation, depth + 1, path),
    ),
  ];
}

function relationLines(
  name: string,
  relation: RelationNode,
  depth: number,
  above: readonly string[],
): string[] {
  const indent = '  '.repeat(depth);
  switch (relation.kind) {
    case 'one':
    case 'many': {
      const { parentColumn, childColumn } = relation.join;
      const label = `**${name}** (${relation.kind}, \`${childColumn}\` = \`${parentColumn}\` above) `;
      if (above.includes(`${label}${relation.node.table.name}`)) {
        return [`${indent}- **${name}**: and so on, a fixed number of times`];
      }
      return treeLines(relation.node, label, depth, above);
    }
    case 'exists': {
      const { parentColumn, childColumn } = relation.join;
      const { name: table } = relation.table;
      return [
        `${indent}- **${name}** (whether any, \`${childColumn}\` = \`${parentColumn}\` above) \`${table}\``,
      ];
    }
    case 'previous': {
      const order = relation.by.map((column) => `\`${column}\``).join(', ');
      const label = `**${name}** (the one before it, same \`${relation.within}\`, by ${order} and key) `;
      return treeLines(relation.node, label, depth, above);
    }
    case 'generic':
      return [
        `${indent}- **${name}** (the row that \`${relation.typeColumn}\` and \`${relation.idColumn}\` name)`,
        ...Object.entries(relation.models).flatMap(([model, node]) =>
          treeLines(node, `${model}: `, depth + 1, above),
        ),
      ];
  }
}

function glossary(helpers: readonly Helper[]): string[] {
  const unique = [...new Map(helpers.map((helper) => [helper.name, helper])).values()];
  const documented = unique.filter((helper) => helper.summary !== '');
  return [
    '## Words of the rules',
    '',
    "- `ref(entity, key)`: the uuid of that entity's row, `uuid_of(entity, key)`; null for a null key.",
    ...documented
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, file, summary }) => `- \`${name}\` (\`${file}\`): ${summary}`),
  ];
}

type CodeTable = {
  readonly table: string;
  readonly column: string;
  readonly confidence: string;
  readonly values: Readonly<Record<number, string>>;
};

function codeTables(tables: readonly CodeTable[]): string[] {
  return [
    '## Codes',
    '',
    'A code that is not listed has no label: `unknown`, or null where the column may be null, and one',
    'quality issue per code. The raw code is kept beside it.',
    '',
    '| legacy column | values | confidence |',
    '|---|---|---|',
    ...tables.map(({ table, column, confidence, values }) => {
      const list = Object.entries(values).map(([value, label]) => `${value} ${label}`);
      return `| \`${table}.${column}\` | ${list.join(', ') || 'none'} | ${confidence} |`;
    }),
  ];
}

const escaped = (text: string): string => text.replaceAll('|', '\\|');
const code = (text: string): string => {
  const mark = text.includes('`') ? '``' : '`';
  const pad = text.includes('`') ? ' ' : '';
  return `${mark}${pad}${escaped(text)}${pad}${mark}`;
};

async function main(): Promise<void> {
  const made = await mappingDoc();
  const isCheck = process.argv.includes('--check');
  if (!isCheck) writeFileSync(DOC_FILE, made);
  else if (readFileSync(DOC_FILE, 'utf8') !== made) {
    console.error('docs/mapping.md is not what the code says: run npm run docs:mapping');
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
