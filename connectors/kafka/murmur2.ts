const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;

/**
 * The hash that Java's producer takes of a key, unsigned. kafkajs has it too, with a big integer for
 * each step: of 100,000 keys a second that is most of the time.
 */
function murmur2(key: Buffer): number {
  const length = key.length;
  let hash = SEED ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word = Math.imul(key.readInt32LE(at), MIX);
    word = Math.imul(word ^ (word >>> 24), MIX);
    hash = Math.imul(hash, MIX) ^ word;
  }
  const left = length - at;
  if (left > 0) {
    hash = Math.imul(hash ^ key.readUIntLE(at, left), MIX);
  }
  hash = Math.imul(hash ^ (hash >>> 13), MIX);
  return hash ^ (hash >>> 15);
}

/**
 * The partition that Java's producer, and with it Debezium, puts a key in. What has no key goes to
 * the first one, so that it stays in order.
 */
export function partitionOfKey(key: Buffer | null, partitions: number): number {
  return key === null ? 0 : (murmur2(key) & 0x7fffffff) % partitions;
}
