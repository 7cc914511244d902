import { waitFor } from '../harness/wait-for.ts';
import type { TestPair } from '../harness/database.ts';
import type { Workplace } from './cli-run.ts';
import { load, recordsWorkplace } from './records-workplace.ts';

/** Two databases, loaded, and a mapping that can be edited: small portions, so that there are many. */
export async function controlWorkplace(pair: TestPair): Promise<Workplace> {
  const work = await recordsWorkplace(pair, { MAX_ROOTS_PER_BATCH: '200' });
  await pair.source.query(`
    insert into office select i, 'office ' || i from generate_series(10, 40) as i;
    insert into patient select i, 10 + i % 40, 'patient ' || i, i % 200
      from generate_series(100, 500) as i;
    insert into visit select i, 100 + i, 'room ' || i from generate_series(10, 420) as i`);
  // Rows that go stay as parents of those that name them.
  const tables = 'migrations/20260101000000_tables.sql';
  const marked = work.read(tables).replaceAll(/uuid primary key/g, '$&, deleted_at timestamptz');
  work.write(tables, marked);
  await load(work);
  return work;
}

let copies = 0;
/** Rows of traffic, so that a second one has others. */
let rows = 1000;

/**
 * The mapping with some text replaced, as a file of its own: a module that is loaded once stays.
 * Returns the settings of a process that has it.
 */
export function editedMapping(
  work: Workplace,
  ...changes: readonly (readonly [string, string])[]
): Record<string, string> {
  let text = work.read('mapping.ts');
  for (const [before, after] of changes) {
    if (!text.includes(before)) throw new Error(`the mapping has no ${before}`);
    text = text.replace(before, after);
  }
  return { ...work.environment, MAPPING: work.write(`mapping-${++copies}.ts`, text) };
}

/** Writes to the source until it is stopped: rows come, change, move to other parents, and go. */
export class Traffic implements AsyncDisposable {
  readonly #pair: TestPair;
  #isOver = false;
  #rounds = 0;
  readonly #work: Promise<void>;

  constructor(pair: TestPair) {
    this.#pair = pair;
    this.#work = this.#run();
  }

  async #run(): Promise<void> {
    const { source } = this.#pair;
    for (let i = 0; !this.#isOver; i++) {
      const id = rows++;
      const some = 100 + ((i * 37) % 400);
      // Children before their parents, by whole transactions.
      await source.query(`insert into visit values (${id}, ${id}, 'early')`);
      await source.query(`begin; insert into patient values (${id}, ${10 + (i % 45)}, 'new', ${i % 300});
        update patient set office_id = ${10 + ((i * 7) % 45)}, height = height + 1 where id = ${some};
        update office set name = 'o ${i}' where id = ${10 + (i % 31)}; commit`);
      if (i % 3 === 0) await source.query(`delete from visit where patient_id = ${some}`);
      if (i % 5 === 0) await source.query(`delete from patient where id = ${id - 3}`);
      this.#rounds++;
    }
  }

  /** Until so many more rounds have been written. */
  async rounds(more: number): Promise<void> {
    const until = this.#rounds + more;
    await waitFor(() => Promise.resolve(this.#rounds >= until), {
      what: `${more} rounds of traffic`,
      timeoutMs: 30_000,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }
}
