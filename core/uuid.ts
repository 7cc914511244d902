import { createHash } from 'node:crypto';

/** What a legacy row is known by: an integer, a pair of 31-bit integers, or a text key. */
export type LegacyKey = number | bigint | string | readonly [number, number];

const prefixes = new Map<string, string>();
const hash = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex');

/** `xxxxxxxx-xxxx-8`: 48 bits of the name's SHA-256, then the version. */
function prefix(identity: string): string {
  let known = prefixes.get(identity);
  if (known === undefined) {
    const digest = hash(identity);
    known = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8`;
    prefixes.set(identity, known);
  }
  return known;
}

const MASK_62 = (1n << 62n) - 1n;
const VARIANT = 1n << 63n;

function tail(bits: bigint): string {
  const hex = (VARIANT | (bits & MASK_62)).toString(16);
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

/**
 * The target id of a legacy row: a version-8 uuid of 48 bits naming the identity, 12 bits for the
 * form of the key (0 integer, 1 pair, 2 text) and 62 bits of key. Sorts as the legacy ids do. The
 * same function in SQL is `tandem.uuid_of`.
 */
export function uuidOf(identity: string, key: LegacyKey): string {
  if (typeof key === 'number' && key >= 0 && key < 0x1000000000000) {
    return `${prefix(identity)}000-8000-${key.toString(16).padStart(12, '0')}`;
  }
  if (typeof key === 'number' || typeof key === 'bigint') {
    return `${prefix(identity)}000-${tail(BigInt(key))}`;
  }
  if (typeof key === 'string') {
    return `${prefix(identity)}002-${tail(BigInt(`0x${hash(key).slice(0, 16)}`) >> 2n)}`;
  }
  return `${prefix(identity)}001-${tail((BigInt(key[0]) << 31n) | BigInt(key[1]))}`;
}

/** The first and the last uuid that an identity can yield: its rows are the range between. */
export function uuidRange(identity: string): { first: string; last: string } {
  const start = prefix(identity);
  return { first: `${start}000-8000-000000000000`, last: `${start}fff-bfff-ffffffffffff` };
}
