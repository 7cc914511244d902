import { UNAVAILABLE } from './message.ts';
import { WrongForm, type Reader } from './value.ts';
import { readDouble } from './value-number.ts';

/** `(1.5,-2)`. */
export const readPoint: Reader = (value) => {
  if (value === null || typeof value !== 'object' || !('x' in value) || !('y' in value)) {
    throw new WrongForm('a point', value);
  }
  return `(${String(readDouble(value.x))},${String(readDouble(value.y))})`;
};

/**
 * `"a"=>"1", "b"=>NULL`, from an object or its JSON. The server keeps pairs by the length of the
 * key, then by its bytes; a message has them in any order.
 */
export const readHstore: Reader = (value) => {
  const object = typeof value === 'string' ? parsed(value) : value;
  if (object === null || typeof object !== 'object' || Array.isArray(object)) {
    throw new WrongForm('an hstore', value);
  }
  const entries = Object.entries(object).map(([key, item]) => {
    if (item !== null && typeof item !== 'string') throw new WrongForm('an hstore', item);
    return { key, bytes: Buffer.from(key), item: item as string | null };
  });
  const [first] = entries;
  if (entries.length === 1 && first?.key === UNAVAILABLE && first.item === UNAVAILABLE) {
    return undefined;
  }
  entries.sort((a, b) => a.bytes.length - b.bytes.length || a.bytes.compare(b.bytes));
  return entries
    .map(({ key, item }) => `${quoted(key)}=>${item === null ? 'NULL' : quoted(item)}`)
    .join(', ');
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new WrongForm('an hstore as JSON', text);
  }
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
