import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** How one entity's `map` is written. */
type WrittenMap = {
  /** The first comment above the entity. */
  readonly summary: string;
  /** By target column: the expression, and the comment above it. */
  readonly rules: ReadonlyMap<string, { readonly rule: string; readonly comment: string }>;
  /** What stands in front of the row: names that the rules use. */
  readonly preamble: readonly string[];
  /** Names of exclusion rules, with the condition as it is written. */
  readonly exclusions: readonly { readonly rule: string; readonly when: string }[];
  /** Everything that the rules and the preamble name. */
  readonly names: ReadonlySet<string>;
};

export type Helper = { readonly name: string; readonly file: string; readonly summary: string };

const parse = (file: string): ts.SourceFile =>
  ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);

/** The comment in front of a node, without its marks. */
function commentAbove(node: ts.Node): string {
  const text = node.getSourceFile().text;
  const ranges = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
  return ranges
    .map(({ pos, end }) => text.slice(pos, end).replace(/^\/\*\*?|\*\/$|^\/\//g, ''))
    .map((comment) =>
      comment
        .replace(/^\s*\* ?/gm, '')
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .join(' ');
}

const oneLine = (node: ts.Node): string =>
  node
    .getText()
    .replace(/\/\/.*$/gm, '')
    .replace(/\s+/g, ' ')
    .replace(/([([]) /g, '$1')
    .replace(/,? ([)\]])/g, '$1');

/** @throws Error where the entity is not written as `entity({ … map … row({ … }) })` */
export function readMap(definedAt: string): WrittenMap {
  const [, file = '', line = ''] = /^(.*):(\d+)$/.exec(definedAt) ?? [];
  const source = parse(file);
  const call = findFirst(
    source,
    (node) =>
      ts.isCallExpression(node) &&
      ['entity', 'journal'].includes(node.expression.getText()) &&
      source.getLineAndCharacterOfPosition(node.getStart()).line + 1 === Number(line),
  );
  const map = call && findFirst(call, (node) => isNamed(node, 'map'));
  const made = map && findFirst(map, (node) => isCall(node, 'row'));
  const literal = made && ts.isCallExpression(made) ? made.arguments[0] : undefined;
  if (call === undefined || map === undefined || !literal || !isObject(literal)) {
    throw new Error(`${definedAt}: no row is made in one place`);
  }
  const preamble = bodyOf(map).filter(
    (it) =>
      !ts.isReturnStatement(it) && !ts.isIfStatement(it) && !/^const issues\b/.test(it.getText()),
  );
  const statement = findUp(call, ts.isVariableStatement);
  return {
    summary: statement === undefined ? '' : commentAbove(statement),
    rules: new Map(literal.properties.map((property) => [nameOf(property), ruleOf(property)])),
    preamble: preamble.map((statement) => statement.getText().replace(/^ {4}/gm, '')),
    exclusions: exclusionsIn(map),
    names: namesIn([literal, ...preamble]),
  };
}

const isObject = (node: ts.Node): node is ts.ObjectLiteralExpression =>
  ts.isObjectLiteralExpression(node);
const isCall = (node: ts.Node, name: string): boolean =>
  ts.isCallExpression(node) && node.expression.getText() === name;
const isNamed = (node: ts.Node, name: string): boolean =>
  (ts.isMethodDeclaration(node) || ts.isPropertyAssignment(node)) && node.name.getText() === name;
const nameOf = (node: ts.ObjectLiteralElementLike): string => node.name?.getText() ?? '';

function ruleOf(property: ts.ObjectLiteralElementLike): { rule: string; comment: string } {
  const written = ts.isPropertyAssignment(property) ? property.initializer : property.name;
  return { rule: written === undefined ? '' : oneLine(written), comment: commentAbove(property) };
}

function bodyOf(map: ts.Node): readonly ts.Statement[] {
  const written = ts.isPropertyAssignment(map) ? map.initializer : map;
  const body =
    ts.isMethodDeclaration(written) || ts.isArrowFunction(written) ? written.body : undefined;
  return body !== undefined && ts.isBlock(body) ? body.statements : [];
}

function exclusionsIn(map: ts.Node): { rule: string; when: string }[] {
  const found: { rule: string; when: string }[] = [];
  visit(map, (node) => {
    if (!isCall(node, 'excluded') || !ts.isCallExpression(node)) return;
    const rule = node.arguments[0]?.getText().replace(/^'|'$/g, '') ?? '';
    const condition = findUp(node, ts.isIfStatement)?.expression;
    found.push({ rule, when: condition === undefined ? 'always' : oneLine(condition) });
  });
  return found;
}

function namesIn(nodes: readonly ts.Node[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const root of nodes) {
    visit(root, (node) => {
      if (ts.isIdentifier(node) && !isMember(node)) names.add(node.text);
    });
  }
  return names;
}

/** Whether a name belongs to something else: `b` in `a.b`, and the name of a property. */
function isMember(name: ts.Identifier): boolean {
  const { parent } = name;
  const isProperty = ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent);
  return isProperty && parent.name === name;
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  node.forEachChild((child) => visit(child, look));
}

function findFirst(root: ts.Node, wanted: (node: ts.Node) => boolean): ts.Node | undefined {
  if (wanted(root)) return root;
  return ts.forEachChild(root, (child) => findFirst(child, wanted));
}

function findUp<T extends ts.Node>(
  node: ts.Node,
  wanted: (node: ts.Node) => node is T,
): T | undefined {
  return wanted(node) ? node : node.parent ? findUp(node.parent, wanted) : undefined;
}

/** The functions and words of a folder's files, with their comments, by name. */
export function readHelpers(folder: string): ReadonlyMap<string, Helper> {
  const helpers = new Map<string, Helper>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    for (const statement of parse(join(folder, file)).statements) {
      const summary = commentAbove(statement);
      for (const name of declaredNames(statement)) helpers.set(name, { name, file, summary });
    }
  }
  return helpers;
}

function declaredNames(statement: ts.Statement): readonly string[] {
  if (ts.isFunctionDeclaration(statement)) return [statement.name?.text ?? ''];
  if (!ts.isVariableStatement(statement)) return [];
  return statement.declarationList.declarations
    .filter(({ initializer }) => !initializer || !isCall(initializer, 'entity'))
    .map((declaration) => declaration.name.getText());
}

/** Short texts that a file, or one that it imports from its own folder, compares with or chooses. */
export function readWords(file: string): readonly string[] {
  const words = new Set<string>();
  for (const path of withImports(file)) {
    visit(parse(path), (node) => {
      if (ts.isStringLiteral(node) && !ts.isImportDeclaration(node.parent)) words.add(node.text);
    });
  }
  return [...words].filter((word) => word.length < 20).sort();
}

function withImports(file: string): ReadonlySet<string> {
  const files = new Set([file]);
  // A Set's iterator also visits what is added while it runs.
  for (const path of files) {
    for (const statement of parse(path).statements) {
      const from = ts.isImportDeclaration(statement) ? statement.moduleSpecifier : undefined;
      if (from === undefined || !ts.isStringLiteral(from)) continue;
      if (/^\.\/[\w-]+\.ts$/.test(from.text)) files.add(join(dirname(path), from.text));
    }
  }
  return files;
}
