import type pg from 'pg';
import { timestamp } from '../moment.ts';
import type { Random } from '../random.ts';
import type { LivingRows } from './living-rows.ts';
import { Tally } from './report.ts';
import { LegacyTransaction } from './transaction.ts';

/** One connection of the legacy application, and what it has done so far. */
export class Session {
  readonly random: Random;
  readonly rows: LivingRows;
  /** One of the connections looks after the rows that all of them share. */
  readonly isLeader: boolean;
  readonly tally = new Tally();
  readonly traps = new Map<string, number>();
  transactions = 0;
  rollbacks = 0;
  readonly #client: pg.Client;
  readonly #onTransaction: (changes: number) => void;

  constructor(options: {
    client: pg.Client;
    random: Random;
    rows: LivingRows;
    isLeader: boolean;
    onTransaction: (changes: number) => void;
  }) {
    this.#client = options.client;
    this.#onTransaction = options.onTransaction;
    this.random = options.random;
    this.rows = options.rows;
    this.isLeader = options.isLeader;
  }

  /** Runs `work` in a transaction and commits it. An error rolls back and is passed on. */
  async transaction<T>(work: (transaction: LegacyTransaction) => Promise<T>): Promise<T> {
    const transaction = new LegacyTransaction(this.#client);
    await this.#client.query('begin');
    try {
      const result = await work(transaction);
      await this.#client.query('commit');
      this.transactions += 1;
      this.tally.addAll(transaction.tally);
      this.#onTransaction(transaction.tally.changes());
      return result;
    } catch (error) {
      await this.#client.query('rollback');
      throw error;
    }
  }

  /** T87: everything is done and nothing is kept, but the sequences have moved. */
  async abandoned(work: (transaction: LegacyTransaction) => Promise<void>): Promise<void> {
    await this.#client.query('begin');
    try {
      await work(new LegacyTransaction(this.#client));
    } finally {
      await this.#client.query('rollback');
    }
    this.rollbacks += 1;
    this.hit('T87');
  }

  hit(trap: string): void {
    this.traps.set(trap, (this.traps.get(trap) ?? 0) + 1);
  }

  now(): string {
    return timestamp(Date.now(), this.random.int(0, 999));
  }
}
