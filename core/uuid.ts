import { createHash } from 'node:crypto';
import { TandemError } from './errors.ts';

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

const integerPrefixes = new Map<string, string>();

/** All but the last 48 bits of an integer's id. */
function integerPrefix(identity: string): string {
  let known = integerPrefixes.get(identity);
  if (known === undefined) {
    known = `${prefix(identity)}000-8000-`;
    integerPrefixes.set(identity, known);
  }
  return known;
}

const BITS_48 = 0x1000000000000;
const MASK_62 = (1n << 62n) - 1n;
const MASK_31 = (1n << 31n) - 1n;
const VARIANT = 1n << 63n;

function tail(bits: bigint): string {
  const hex = (VARIANT | (bits & MASK_62)).toString(16);
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

/**
 * The target id of a legacy row: a version-8 uuid of 48 bits naming the identity, 12 bits for the
 * form of the key (0 integer, 1 pair, 2 text) and 62 bits of key. Sorts as the legacy ids do. The
 * same function in SQL is `tandem.uuid_of`.
 *
 * @throws TandemError `MAPPING_REJECTED_ROW` for an integer beyond 62 bits, or a pair beyond 31
 */
export function uuidOf(identity: string, key: LegacyKey): string {
  if (typeof key === 'number' && key >= 0 && key < BITS_48) {
    return integerPrefix(identity) + (BITS_48 + key).toString(16).slice(1);
  }
  if (typeof key === 'number' || typeof key === 'bigint') {
    return `${prefix(identity)}000-${tail(within(BigInt(key), -(1n << 61n), MASK_62, identity))}`;
  }
  if (typeof key === 'string') {
    return `${prefix(identity)}002-${tail(BigInt(`0x${hash(key).slice(0, 16)}`) >> 2n)}`;
  }
  const [a, b] = key.map((part) => within(BigInt(part), 0n, MASK_31, identity));
  return `${prefix(identity)}001-${tail(((a ?? 0n) << 31n) | (b ?? 0n))}`;
}

/** A key that the bits cannot hold would share its id with another row's. */
function within(key: bigint, least: bigint, most: bigint, identity: string): bigint {
  if (key >= least && key <= most) return key;
  throw new TandemError('MAPPING_REJECTED_ROW', {
    identity,
    reason: 'key does not fit into an id',
  });
}

/** The form of a key, as the id says it: 0 an integer, 1 a pair, 2 a text. */
export type KeyForm = 0 | 1 | 2;

export function formOf(key: LegacyKey): KeyForm {
  if (typeof key === 'string') return 2;
  return typeof key === 'object' ? 1 : 0;
}

/**
 * The key that an id of this identity was computed from: what `uuidOf` makes the id of. Null where
 * there is none, or the id does not tell: texts are hashed, and the highest bit may be a sign.
 */
export function keyOf(identity: string, uuid: string): LegacyKey | null {
  const start = prefix(identity);
  if (!uuid.startsWith(start)) return null;
  const bits = BigInt(`0x${uuid.slice(19).replace('-', '')}`) & MASK_62;
  const isPair = uuid.startsWith(`${start}001`);
  if (!isPair && bits >= 1n << 61n) return null;
  const key: LegacyKey = isPair ? [Number(bits >> 31n), Number(bits & MASK_31)] : bits;
  return uuidOf(identity, key) === uuid ? key : null;
}

/**
 * The first and the last uuid that an identity can yield: its rows are the range between. With a
 * `form`, those of keys of that form only.
 */
export function uuidRange(identity: string, form?: KeyForm): { first: string; last: string } {
  const start = prefix(identity);
  const [from, to] = form === undefined ? ['000', 'fff'] : [`00${form}`, `00${form}`];
  return { first: `${start}${from}-8000-000000000000`, last: `${start}${to}-bfff-ffffffffffff` };
}
