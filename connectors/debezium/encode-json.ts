/** A value in JSON: integers of any size with all their digits, numbers that JSON has no word for as text. */
export function jsonOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return `"${String(value)}"`;
    return Object.is(value, -0) ? '-0.0' : String(value);
  }
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(',')}]`;
  let text = '';
  for (const name of Object.keys(value)) {
    const field = (value as Readonly<Record<string, unknown>>)[name];
    text += `${text === '' ? '' : ','}${quotedName(name)}:${jsonOf(field)}`;
  }
  return `{${text}}`;
}

/** Names are few, and come with every message. */
const quotedNames = new Map<string, string>();

function quotedName(name: string): string {
  let quoted = quotedNames.get(name);
  if (quoted === undefined) {
    quoted = JSON.stringify(name);
    quotedNames.set(name, quoted);
  }
  return quoted;
}

const CONTROL = /[\u0000-\u001f]/;

/**
 * A key, byte for byte as Kafka Connect's converter writes it: the partition hangs on it. Control
 * characters that have no short form are written there with capital letters.
 */
export function jsonKey(fields: Iterable<readonly [string, unknown]>): string {
  const parts = Array.from(fields, ([name, value]) => `${connectText(name)}:${keyPart(value)}`);
  return `{${parts.join(',')}}`;
}

function keyPart(value: unknown): string {
  return typeof value === 'string' ? connectText(value) : jsonOf(value);
}

function connectText(text: string): string {
  const json = JSON.stringify(text);
  if (!CONTROL.test(text)) return json;
  // A backslash of the text itself is doubled, so that only pairs are looked at.
  return json.replace(/\\\\|\\u00[01][0-9a-f]/g, (found) =>
    found.startsWith('\\u') ? found.replace(/[a-f]$/, (digit) => digit.toUpperCase()) : found,
  );
}
