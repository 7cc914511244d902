import { loadMirror } from '../../backfill/load.ts';
import { entity, type Mapping } from '../../core/entity.ts';
import { int4, text } from '../../core/legacy-table.ts';
import { excluded } from '../../core/outcome.ts';
import { legacyTable } from '../../core/shape.ts';
import type { TableState } from '../../proof/mirror/table-state.ts';
import {
  verifyMirror,
  type MirrorProof,
  type TableProof,
  type VerifyMirrorOptions,
} from '../../proof/mirror/verify-mirror.ts';
import { Bench, CLOCK } from '../harness/apply-bench.ts';
import type { Row } from '../harness/database.ts';

/** Behind every change that a test makes: the stream has brought everything. */
const FAR = 'FFFFFFFF/0';

type Columns = Readonly<Record<string, 'key' | 'value'>>;

/** A mapping that only mirrors: every table is the root of an entity that yields nothing. */
function mirroring(tables: Readonly<Record<string, Columns>>): Mapping {
  return {
    name: 'mirroring',
    migrations: null,
    entities: Object.entries(tables).map(([name, columns], i) => {
      const keys = Object.keys(columns).filter((column) => columns[column] === 'key');
      const kinds = Object.fromEntries(
        Object.keys(columns).map((column) => [column, columns[column] === 'key' ? int4 : text]),
      );
      const shape = legacyTable(name, keys as [string], kinds);
      return entity({
        name: `e${i}`,
        target: 'nothing',
        from: shape.select(...Object.keys(columns)),
        map: () => excluded('mirrored only'),
      });
    }),
  };
}

/** Two servers with a copied table each, and no stream: what differs was planted by the test. */
export class ProofBench implements AsyncDisposable {
  readonly bench: Bench;

  private constructor(bench: Bench) {
    this.bench = bench;
  }

  /** `legacy` makes and fills the tables; they are copied, and the stream is made to be past that. */
  static async open(
    tables: Readonly<Record<string, Columns>>,
    legacy: string,
    prepare: (bench: Bench) => Promise<unknown> = async () => undefined,
  ): Promise<ProofBench> {
    const bench = await Bench.open({
      mapping: mirroring(tables),
      legacy,
      target: 'create table nothing (id uuid primary key)',
    });
    try {
      await prepare(bench);
      const context = bench.backfillContext({ chunkRows: 100_000 });
      await loadMirror({ ...context, tables: [...bench.model.mirror.values()] });
      const [found] = await bench.pair.source.query(
        'select system_identifier::text as id from pg_control_system()',
      );
      await bench.query(
        'update tandem.position set position = $1, system_identifier = $2, timeline = 1',
        [FAR, found?.['id']],
      );
      return new ProofBench(bench);
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  source(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.bench.pair.source.query(sql, params);
  }

  mirror(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.bench.query(sql, params);
  }

  async verify(given: Partial<VerifyMirrorOptions> = {}): Promise<MirrorProof> {
    const { bench } = this;
    return verifyMirror({
      ...{ source: bench.source, target: bench.target, stream: 'main' },
      tables: [...bench.model.mirror.values()],
      rangeRows: 100,
      pacing: { rowsPerSecond: null, maxLoad: 1 },
      ...{ sample: null, since: null, mayBeat: false, patienceMs: 2_000, rounds: 4 },
      ...{ observer: bench.notes, clock: CLOCK, signal: new AbortController().signal },
      ...given,
    });
  }

  /** The proof of the only table. */
  async verifyOne(given: Partial<VerifyMirrorOptions> = {}): Promise<TableProof> {
    const { tables } = await this.verify(given);
    const [table] = tables;
    if (table === undefined || tables.length > 1) throw new Error(`${tables.length} tables`);
    return table;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench[Symbol.asyncDispose]();
  }
}

/** `42 different note`: mismatches in short, in the order of their keys. */
export function inShort({ mismatches }: Pick<TableProof, 'mismatches'>): string[] {
  return mismatches
    .map(({ key, kind, columns }) => [key.join('|'), kind, ...columns].join(' '))
    .sort();
}

/** Keeps states as the command does: as JSON. */
export function stateKeeper(): {
  readonly states: Map<string, TableState>;
  readonly keep: (table: string, state: TableState) => Promise<void>;
} {
  const states = new Map<string, TableState>();
  return {
    states,
    keep: async (table, state) => {
      states.set(table, JSON.parse(JSON.stringify(state)) as TableState);
    },
  };
}
