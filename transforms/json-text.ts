import type { Issue } from '../core/outcome.ts';

/**
 * PostgreSQL sets no limit to nesting, it stops where its stack ends: with the default
 * `max_stack_depth` (2 MB) at a depth of about 16,000. Deeper than this is kept as a string.
 */
const MAX_DEPTH = 5_000;

/** Digits that a numeric holds before and after its point. */
const MAX_WHOLE_DIGITS = 131_072n;
const MAX_FRACTION_DIGITS = 16_383n;
/** Beyond this PostgreSQL refuses an exponent, even of zero (from 16 on it takes one more). */
const MAX_EXPONENT = 1_073_741_822n;

/** A text column that holds JSON. `column` is the legacy column, for the issue. */
export function jsonOf(column: string, text: string | null, issues: Issue[]): string | null {
  if (text === null || /^[ \t\n\r]*(?:null[ \t\n\r]*)?$/.test(text)) return null;
  const refusal = refusalOf(text);
  if (refusal === null) return text;
  issues.push({ column, reason: refusal });
  return JSON.stringify(text);
}

/**
 * Why PostgreSQL refuses `text` as `jsonb`; null where it takes it. Stricter than JSON: text of a
 * server cannot hold a zero byte or half a surrogate pair, and its numbers have limits.
 */
export function refusalOf(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  return refusedEscape(text) ?? refusedNumber(text) ?? refusedDepth(text);
}

/** `\u0000`, and escapes of surrogates that are not a high one and at once a low one. */
function refusedEscape(text: string): string | null {
  if (!text.includes('\\u')) return null;
  let endOfHigh = -1;
  // Every escape of two characters is matched too, so that `\\u0000` is not taken for one of these.
  for (const match of text.matchAll(/\\(?:u([0-9a-fA-F]{4})|.)/g)) {
    const unit = match[1] === undefined ? -1 : parseInt(match[1], 16);
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    if (unit === 0) return 'JSON with \\u0000';
    if (isLow !== (endOfHigh === match.index)) return 'JSON with half a surrogate pair';
    if (endOfHigh !== -1 && !isLow) return 'JSON with half a surrogate pair';
    endOfHigh = unit >= 0xd800 && unit <= 0xdbff ? match.index + match[0].length : -1;
  }
  return endOfHigh === -1 ? null : 'JSON with half a surrogate pair';
}

const TOKEN = /"|[[{]|[\]}]|-?\d+(?:\.(\d+))?(?:[eE]([+-]?\d+))?/g;

/** Calls `visit` with the brackets and numbers of valid JSON. */
function forEachToken(text: string, visit: (token: RegExpExecArray) => void): void {
  TOKEN.lastIndex = 0;
  for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
    if (token[0] === '"') TOKEN.lastIndex = endOfString(text, token.index);
    else visit(token);
  }
}

/** Behind the quote that closes the string which `start` opens. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

function refusedNumber(text: string): string | null {
  // Any number out of range is long or has an exponent of four digits: spares most texts the walk.
  if (text.length < 15_000 && !/\d[eE][+-]?\d{4}/.test(text)) return null;
  let refused = false;
  forEachToken(text, (token) => {
    refused ||= /^[-\d]/.test(token[0]) && !fitsNumeric(token);
  });
  return refused ? 'JSON with a number that numeric does not hold' : null;
}

function fitsNumeric([number, fraction = '', exponentText = '0']: RegExpExecArray): boolean {
  const exponent = BigInt(exponentText.replace('+', ''));
  if (exponent > MAX_EXPONENT || exponent < -MAX_EXPONENT) return false;
  if (BigInt(fraction.length) - exponent > MAX_FRACTION_DIGITS) return false;

  const mantissa = number.replace(/[eE].*$/, '').replace(/^-/, '');
  const [whole = ''] = mantissa.split('.');
  const significant = mantissa.replace('.', '').replace(/^0+/, '');
  const leadingZeros = whole.length + fraction.length - significant.length;
  const wholeDigits = BigInt(whole.length - leadingZeros) + exponent;
  return significant === '' || wholeDigits <= MAX_WHOLE_DIGITS;
}

function refusedDepth(text: string): string | null {
  if (text.length <= 2 * MAX_DEPTH) return null;
  let depth = 0;
  let deepest = 0;
  forEachToken(text, ([token]) => {
    if (token === '[' || token === '{') depth += 1;
    if (token === ']' || token === '}') depth -= 1;
    deepest = Math.max(deepest, depth);
  });
  return deepest > MAX_DEPTH ? 'JSON nested too deep' : null;
}
