/**
 * Splits a migration as the Supabase CLI does, so that what is recorded is the same text: at each
 * semicolon outside of quotes, dollar quotes, comments, parentheses and `begin atomic … end`, with
 * comments kept, semicolons and white space around a statement cut off, and empty ones dropped.
 *
 * It agrees with the CLI where that is coarser than PostgreSQL's own lexer too: a backslash hides
 * the next character, the first closing parenthesis ends nested ones, and any `end` ends an atomic
 * body.
 *
 * Source: https://github.com/supabase/cli/blob/main/pkg/parser/state.go
 */
export function splitStatements(sql: string): readonly string[] {
  const statements: string[] = [];
  let start = 0;
  for (;;) {
    const end = endOfStatement(sql, start);
    const statement = sql.slice(start, end).replace(/;+$/, '').trim();
    if (statement !== '') statements.push(statement);
    if (end >= sql.length) return statements;
    start = end;
  }
}

const TAG = /[\p{L}\p{Nd}_]*/uy;
const ATOMIC = 'atomic';

/** The offset behind the semicolon that ends the statement which begins at `start`. */
function endOfStatement(sql: string, start: number): number {
  const open: ('end' | ')')[] = [];
  let at = start;
  while (at < sql.length) {
    const character = sql[at];
    if (character === ';' && open.length === 0) return at + 1;
    if (character === '(') open.push(')');
    if (endsWith(sql, start, at + 1, ATOMIC) && /\s/.test(sql[at - ATOMIC.length] ?? '')) {
      open.push('end');
    }
    at = skip(sql, at);
    // Closing a bracket closes those right around it with the same sign.
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      if (!endsWith(sql, start, at, top)) break;
      open.pop();
    }
  }
  return sql.length;
}

function endsWith(sql: string, start: number, end: number, text: string): boolean {
  const from = end - text.length;
  return from >= start && sql.slice(from, end).toLowerCase() === text;
}

/** The offset behind what stands at `at`: a quoted text, a comment, or one character. */
function skip(sql: string, at: number): number {
  const character = sql.charAt(at);
  switch (character) {
    case "'":
    case '"':
      return behind(sql, character, at + 1);
    case '$':
      return skipDollar(sql, at);
    case '-':
      return sql[at + 1] === '-' ? behind(sql, '\n', at + 2) : at + 1;
    case '/':
      return sql[at + 1] === '*' ? skipBlock(sql, at) : at + 1;
    case '\\':
      return Math.min(at + 2, sql.length);
    default:
      return at + 1;
  }
}

function behind(sql: string, text: string, from: number): number {
  const found = sql.indexOf(text, from);
  return found === -1 ? sql.length : found + text.length;
}

function skipDollar(sql: string, at: number): number {
  TAG.lastIndex = at + 1;
  const name = TAG.exec(sql)?.[0] ?? '';
  const end = at + 1 + name.length;
  return sql[end] === '$' ? behind(sql, `$${name}$`, at + 1) : end;
}

function skipBlock(sql: string, at: number): number {
  let depth = 1;
  for (let end = at + 3; end <= sql.length; end++) {
    const pair = sql.slice(end - 2, end);
    if (pair === '/*') depth++;
    if (pair === '*/' && --depth === 0) return end;
  }
  return sql.length;
}
