import type { CatalogColumn, CatalogTable } from '../connectors/postgres/catalog.ts';
import type { ColumnKind } from '../core/legacy-table.ts';
import { kindOf } from '../connectors/postgres/column-kind.ts';

/** Words in a column's name that make it likely to be a secret. */
const SECRET_WORDS = new Set([
  ...['password', 'passwd', 'pwd', 'passphrase', 'secret', 'token', 'salt', 'otp', 'pin'],
  ...['apikey', 'credential', 'credentials', 'ssn', 'iban', 'cvv', 'cvc', 'signature'],
  ...['session', 'cookie', 'hash', 'card', 'key'],
]);
/** A number or a switch may count or enable what a secret is; it is none itself. */
const SECRET_KINDS: ReadonlySet<ColumnKind> = new Set(['text', 'bytea', 'json', 'uuid']);

/** Whether a column is probably a secret, by its name. A person decides; the comment says so. */
export function isLikelySecret(column: Pick<CatalogColumn, 'name' | 'mirrorType'>): boolean {
  const words = column.name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z]+/);
  return (
    SECRET_KINDS.has(kindOf(column.mirrorType)) && words.some((word) => SECRET_WORDS.has(word))
  );
}

/** `shop_order` becomes `shopOrder`; a name that TypeScript keeps for itself gets `Table`. */
export function constantName(table: string): string {
  const name = table
    .replace(/[^A-Za-z0-9_]+/g, '_')
    .replace(/_+([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    .replace(/_+$/, '')
    .replace(/^[A-Z]/, (letter) => letter.toLowerCase());
  const isFree = /^[A-Za-z]/.test(name) && !TAKEN.has(name);
  return isFree ? name : `${/^[A-Za-z]/.test(name) ? name : `t${name}`}Table`;
}

const KINDS: readonly ColumnKind[] = [
  ...(['bool', 'bytea', 'date', 'int2', 'int4', 'int8', 'json', 'numeric', 'text'] as const),
  ...(['timestamp', 'timestamptz', 'uuid'] as const),
];
const TAKEN: ReadonlySet<string> = new Set([
  ...KINDS,
  'legacyTable',
  ...['break', 'case', 'catch', 'class', 'const', 'continue', 'debugger', 'default', 'delete'],
  ...['do', 'else', 'enum', 'export', 'extends', 'false', 'finally', 'for', 'function', 'if'],
  ...['implements', 'import', 'in', 'instanceof', 'interface', 'let', 'new', 'null', 'package'],
  ...['private', 'protected', 'public', 'return', 'static', 'super', 'switch', 'this', 'throw'],
  ...['true', 'try', 'typeof', 'undefined', 'var', 'void', 'while', 'with', 'yield', 'await'],
  ...['arguments', 'eval', 'async', 'of'],
]);

/** A module of `legacyTable` declarations. `core` is the path or package that core/ is found at. */
export function legacyTablesModule(tables: readonly CatalogTable[], core: string): string {
  const names = new Set<string>();
  const declared = tables.map((table) => declaration(table, uniqueName(table, names)));
  const used = KINDS.filter((kind) =>
    declared.some((text) => new RegExp(`: ${kind}(\\.|,)`).test(text)),
  );
  return [
    `import { ${used.join(', ')} } from ${quote(`${core}/legacy-table.ts`)};`,
    `import { legacyTable } from ${quote(`${core}/shape.ts`)};`,
    '',
    '// Written once by `tandem init` from the catalogue of the source; it is yours now.',
    '// Delete the tables and columns that no entity reads. A column marked neverRead never leaves the',
    '// source: these were guessed from their names, so look through the others too.',
    '',
    declared.join('\n\n'),
    '',
  ].join('\n');
}

function uniqueName({ schema, relation }: CatalogTable, names: Set<string>): string {
  let constant = constantName(schema === 'public' ? relation : `${schema}_${relation}`);
  while (names.has(constant)) constant += 'Again';
  names.add(constant);
  return constant;
}

function declaration(table: CatalogTable, constant: string): string {
  const name = table.schema === 'public' ? table.relation : `${table.schema}.${table.relation}`;
  const rows = table.estimatedRows < 0 ? 'not analyzed yet' : `about ${table.estimatedRows} rows`;
  const isKeyless = table.primaryKey.length === 0;
  const [only, ...more] = table.primaryKey;
  const key =
    only !== undefined && more.length === 0
      ? quote(only)
      : `[${(isKeyless ? table.columns.map(({ name }) => name) : table.primaryKey).map(quote).join(', ')}]`;
  const columns = table.columns.map((column) =>
    columnLine(column, table.primaryKey.includes(column.name)),
  );
  const lines = [
    `/** ${rows}. */`,
    ...(isKeyless
      ? ['// This table has no primary key: it cannot be replicated until it has one.']
      : []),
    `export const ${constant} = legacyTable(${quote(name)}, ${key}, {`,
    ...columns,
    '});',
  ];
  // Kept as a comment, so that the module compiles and the table is not forgotten.
  return isKeyless
    ? lines.map((line) => (line.startsWith('//') ? line : `// ${line}`)).join('\n')
    : lines.join('\n');
}

function columnLine(column: CatalogColumn, isKey: boolean): string {
  const kind = kindOf(column.mirrorType);
  const name = /^[A-Za-z_$][\w$]*$/.test(column.name) ? column.name : quote(column.name);
  if (!isKey && isLikelySecret(column)) {
    return `  ${name}: ${kind}.neverRead, // likely a secret, by its name`;
  }
  const asText = kind === 'text' && !/^(text|character|citext|name)/.test(column.type);
  const note = asText ? ` // ${column.type.replaceAll('\n', ' ')}, as text` : '';
  return `  ${name}: ${kind}${column.isNotNull ? '' : '.orNull'},${note}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;
}
