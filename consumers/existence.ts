import type pg from 'pg';
import { arrayLiteral, qualified } from '../connectors/postgres/sql.ts';
import { preparedRows } from '../connectors/postgres/connection.ts';
import { splitTableName } from '../core/mirror-table.ts';
import type { Ref } from '../core/outcome.ts';

const BLOCK = 32_768;
const MAX_TEXT_KEYS = 100_000;
const MAX_BLOCKS = 4096;

/** Integers, as bits in blocks of 4 KiB: a million dense ids take 128 KiB. */
class IntegerSet {
  readonly #blocks = new Map<number, Uint32Array>();

  has(value: number): boolean {
    const block = this.#blocks.get(Math.floor(value / BLOCK));
    const bit = value % BLOCK;
    return block !== undefined && ((block[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  }

  add(value: number): void {
    const number = Math.floor(value / BLOCK);
    let block = this.#blocks.get(number);
    if (block === undefined) {
      if (this.#blocks.size >= MAX_BLOCKS) this.#blocks.clear();
      block = new Uint32Array(BLOCK / 32);
      this.#blocks.set(number, block);
    }
    const bit = value % BLOCK;
    block[bit >>> 5] = (block[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }
}

/**
 * Target rows that are known to exist. Rows are only ever soft-deleted, so what was once seen
 * committed stays; what is not in here is asked for. Bounded: a full part is forgotten.
 */
export class Existence {
  readonly #integers = new Map<string, IntegerSet>();
  readonly #texts = new Set<string>();

  knows(table: string, ref: Ref): boolean {
    if (typeof ref.key === 'number' && ref.key >= 0) {
      return this.#integers.get(`${table} ${ref.identity}`)?.has(ref.key) ?? false;
    }
    return this.#texts.has(`${table} ${ref.uuid}`);
  }

  learn(table: string, ref: Ref): void {
    if (typeof ref.key === 'number' && ref.key >= 0) {
      const name = `${table} ${ref.identity}`;
      let set = this.#integers.get(name);
      if (set === undefined) {
        set = new IntegerSet();
        this.#integers.set(name, set);
      }
      set.add(ref.key);
      return;
    }
    if (this.#texts.size >= MAX_TEXT_KEYS) this.#texts.clear();
    this.#texts.add(`${table} ${ref.uuid}`);
  }

  forget(): void {
    this.#integers.clear();
    this.#texts.clear();
  }
}

/** Which of these ids the table holds, tombstones included. */
export async function existingIds(
  client: pg.ClientBase,
  table: string,
  ids: readonly string[],
): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { schema, relation } = splitTableName(table);
  const rows = await preparedRows(
    client,
    `select id from ${qualified(schema, relation)} where id = any($1::uuid[])`,
    [arrayLiteral(ids)],
  );
  return new Set(rows.map((row) => row[0] ?? ''));
}
