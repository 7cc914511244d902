import type pg from 'pg';
import { preparedRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import { existingIds, type Existence } from '../../consumers/existence.ts';
import type { TreeLoader } from '../../consumers/load-tree.ts';
import { legacyKey, mapImages, type Mapped } from '../../consumers/map-roots.ts';
import { linesOf, SHARED_ISSUE, type Line, type Mark } from '../../consumers/marks.ts';
import type { Model } from '../../consumers/model.ts';
import { Resolver, type Resolved } from '../../consumers/resolve.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import type { TandemError } from '../../core/errors.ts';
import type { Image } from '../../core/mirror-table.ts';
import { formOf, uuidOf, type KeyForm } from '../../core/uuid.ts';
import { compareMarks, marksOf, readMarks, refusedRoots, withAccepted } from './compare-marks.ts';
import { ExpectedRows, type RowGroup } from './expected-rows.ts';
import { compareYielded } from './compare-yielded.ts';
import type { Sink } from './findings.ts';

export type PageContext = {
  readonly model: Model;
  readonly entity: DerivedEntity;
  readonly loader: TreeLoader;
  /** Shared by all pages: a snapshot does not change. */
  readonly existence: Existence;
  /** The lists that say anything about the entity. */
  readonly lists: readonly Mark[];
  readonly findings: Sink;
  /** Puts a session back into the snapshot after a failed statement. */
  readonly enter: (client: pg.ClientBase) => Promise<void>;
  /** Where what roots yield is written as well. Default: nowhere. */
  readonly into?: Into;
};

/** A place beside the target's tables where rows are written as if it were there. */
export type Into = {
  /** The roots that are to be looked at now; the others come again. */
  readonly sift: (roots: readonly Resolved[]) => readonly Resolved[];
  /** Writes rows; returns the roots that a rule of their table refuses, of which nothing is written. */
  readonly write: (groups: readonly RowGroup[]) => Promise<ReadonlyMap<string, TandemError>>;
  /** Which of these ids a target table holds, or would. */
  readonly lookUp: typeof existingIds;
};

/** Ids that an entity gives out in a table: those of one identity, with keys of one form. */
export type IdSpace = { readonly table: string; readonly identity: string; readonly form: KeyForm };

/** Derives roots again, page by page, and compares rows and lists with what comes out. */
export class PageCheck {
  readonly #context: PageContext;
  readonly #expected: ExpectedRows;
  readonly #sharedIssues = new Set<string>();
  readonly #spaces = new Map<string, IdSpace>();
  readonly #live = new Map<string, number>();
  roots = 0;
  rows = 0;

  constructor(context: PageContext) {
    this.#context = context;
    this.#expected = new ExpectedRows(context.model);
  }

  /** Live rows that were seen, by table: those there should be, and others that were reported. */
  live(table: string): number {
    return this.#live.get(table) ?? 0;
  }

  /** The ids that the rows of fan-outs were seen to have. */
  get spaces(): readonly IdSpace[] {
    return [...this.#spaces.values()];
  }

  async check(client: pg.ClientBase, images: readonly Image[]): Promise<void> {
    const { model, entity, loader, existence, lists, findings, into } = this.#context;
    const mapped = await mapImages(client, entity, loader, images);
    const keys = mapped.map(({ key }) => key);
    const listed = await readMarks(client, entity.name, lists, keys);
    const refused = refusedRoots(listed);
    // What is written is refused, or not, by the place that it is written to.
    const work = into === undefined ? mapped.map((root) => withRefusal(root, refused)) : mapped;
    const lookUp = into?.lookUp ?? existingIds;
    const resolver = new Resolver(model, existence, into !== undefined, lookUp);
    const all = (await resolver.resolve(client, new Map([[entity, work]]))).get(entity) ?? [];
    for (const { table, ref } of resolver.seen) existence.learn(table, ref);
    const resolved = into === undefined ? all : await this.#write(into, all, refused);
    const present = resolved.length === all.length ? listed : marksOf(listed, resolved);

    const { groups, unfit } = this.#expected.group(resolved);
    for (const group of groups) unfit.push(...(await this.#compare(client, group)));
    // What the target cannot take must be on the list of what it refused.
    for (const root of new Set(unfit)) {
      findings.mark({ list: 'quarantine', kind: 'missing', root, of: null });
    }
    const lines = withAccepted(linesOf(model, entity, resolved), present);
    const shared = lines.issue.filter((line) => line[1] === SHARED_ISSUE);
    const own = { ...lines, issue: lines.issue.filter((line) => line[1] !== SHARED_ISSUE) };
    for (const fault of compareMarks(own, present)) findings.mark(fault);
    await this.#checkShared(client, shared);
    if (entity.fanOut) {
      this.#noteSpaces(resolved);
      await compareYielded(client, model, entity, resolved, findings);
    } else {
      await this.#checkWithoutRows(client, resolved);
    }
    this.roots += resolved.length;
  }

  async #write(
    into: Into,
    all: readonly Resolved[],
    known: ReadonlyMap<string, string>,
  ): Promise<readonly Resolved[]> {
    const resolved = into.sift(all);
    const { groups, unfit } = this.#expected.group(resolved);
    const isFit = ({ root }: { readonly root: string }) => !unfit.includes(root);
    const fit = groups.map((group) => ({ ...group, rows: group.rows.filter(isFit) }));
    const refused = await into.write(unfit.length === 0 ? groups : fit);
    return resolved.map((root) => {
      const error = refused.get(root.key);
      if (error === undefined) return root;
      const message = known.get(root.key) ?? error.message;
      const mapped = { kind: 'refused', code: 'TARGET_REFUSED_ROW', message } as const;
      return { key: root.key, mapped, unresolved: [], heldBy: [] };
    });
  }

  #sawLive(table: string, rows: number): void {
    this.#live.set(table, (this.#live.get(table) ?? 0) + rows);
  }

  /** @returns the roots whose values the columns cannot hold */
  async #compare(client: pg.ClientBase, group: RowGroup): Promise<string[]> {
    const { findings, enter } = this.#context;
    const { table, comparison, rows, deletedAt } = group;
    const { differences, unfit } = await comparison.run(client, rows, () => enter(client));
    const isGivenLive = (row: { readonly cells: readonly (string | null)[] }) =>
      deletedAt === null || row.cells[deletedAt] === null;
    const given = deletedAt === null ? rows.length : rows.filter(isGivenLive).length;
    this.#sawLive(table.name, given - unfit.filter(isGivenLive).length);
    this.rows += rows.length;
    for (const { expected, isLive, columns } of differences) {
      this.#sawLive(table.name, Number(isLive) - Number(isGivenLive(expected)));
      const id = expected.cells[0] ?? '';
      const fault = { root: expected.root, table: table.name, id, columns: columns ?? [] };
      findings.row(columns === null ? 'missing' : 'different', fault);
    }
    return unfit.map(({ root }) => root);
  }

  /** What a root without rows has left behind; a refused one may keep the row from before. */
  async #checkWithoutRows(client: pg.ClientBase, resolved: readonly Resolved[]): Promise<void> {
    const { model, entity, loader, findings } = this.#context;
    const without = new Map<string, Resolved>();
    for (const root of resolved) {
      if (root.mapped.kind === 'rows' && root.heldBy.length === 0) continue;
      const id = idOf(entity, loader, root.key);
      if (id !== null) without.set(id, root);
    }
    if (without.size === 0) return;
    for (const name of entity.targets) {
      const isLive = model.targets.get(name)?.columns.has('deleted_at') === true;
      const rows = await preparedRows(
        client,
        `select id from ${targetName(name)}
         where id = any($1::uuid[])${isLive ? ' and deleted_at is null' : ''}`,
        [arrayLiteral([...without.keys()])],
      );
      this.#sawLive(name, rows.length);
      for (const [id] of rows) {
        const root = without.get(id ?? '');
        if (root === undefined || root.mapped.kind === 'refused') continue;
        findings.row('extra', { root: root.key, table: name, id: id ?? '', columns: [] });
      }
    }
  }

  /** An issue about a value stands once, and stays when the value is gone. */
  async #checkShared(client: pg.ClientBase, lines: readonly Line[]): Promise<void> {
    for (const [entity = '', , column = '', reason = ''] of lines) {
      const key = JSON.stringify([column, reason]);
      if (this.#sharedIssues.has(key)) continue;
      this.#sharedIssues.add(key);
      const found = await preparedRows(
        client,
        `select from tandem.issue
         where entity = $1 and root_key = $2 and target_column = $3 and reason = $4`,
        [entity, SHARED_ISSUE, column, reason],
      );
      if (found.length > 0) continue;
      this.#context.findings.mark({ list: 'issue', kind: 'missing', root: '', of: column });
    }
  }

  #noteSpaces(resolved: readonly Resolved[]): void {
    for (const { mapped } of resolved) {
      if (mapped.kind !== 'rows') continue;
      for (const { table, row } of mapped.rows) {
        const { identity, key } = row.id;
        const form = formOf(key);
        const name = `${table} ${form} ${identity}`;
        if (!this.#spaces.has(name)) this.#spaces.set(name, { table, identity, form });
      }
    }
  }
}

/** Null where the bits of an id cannot hold the key: there can be no row. */
function idOf(entity: DerivedEntity, loader: TreeLoader, key: string): string | null {
  try {
    return uuidOf(entity.identity, legacyKey(loader.root, key));
  } catch {
    return null;
  }
}

/** The mapping has rows for it, and the target did not take them. */
function withRefusal(root: Mapped, refused: ReadonlyMap<string, string>): Mapped {
  const message = refused.get(root.key);
  if (message === undefined || root.outcome.kind !== 'rows') return root;
  return { key: root.key, outcome: { kind: 'refused', code: 'TARGET_REFUSED_ROW', message } };
}
