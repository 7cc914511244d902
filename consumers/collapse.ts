import type { ChangeEvent, RowWritten } from '../core/change-event.ts';
import { keyText, type Cell, type Image, type MirrorTable } from '../core/mirror-table.ts';
import { compareVersions, type Version } from '../core/version.ts';

/** What a key is to become: its newest image in the batch, or gone. */
export type Final = {
  readonly version: Version;
  /** Key columns always; other columns `undefined` where the mirror's value stays. Null: deleted. */
  image: Image | null;
  readonly key: Image;
  /**
   * Where the unsent columns are to be taken from: the key that the row had before the batch, and
   * when it left that one. `version` may be much younger: that of its last change in the batch.
   */
  readonly carriedFrom: { readonly key: string; readonly leftAt: Version } | null;
  /** The batch deletes the key before: what the mirror holds of it is another row. */
  readonly isAnotherRow: boolean;
  /** Only updates: the mirror most likely has the row, though it need not. */
  readonly isUpdate: boolean;
  /** Unsent values are not the mirror's either: the row is read again from the source. */
  readonly mustRead: boolean;
  /** It is left out where the mirror has no such row. */
  readonly ifKnown: boolean;
};

/** What a journaled table has seen of a key, in the order of the source. */
export type Step =
  | Update
  /** The following through a log only, whose partitions are not equally far: see `RowsBehind`. */
  | (Place & { readonly kind: 'create'; readonly image: Image })
  /** Told by the partition of that key itself. */
  | (Place & { readonly kind: 'delete' })
  /** The row has another key now: told by the partition of the new one. */
  | (Place & { readonly kind: 'leave' });

type Place = { readonly key: string; readonly version: Version };

/** One captured update. */
export type Update = Place & {
  readonly kind: 'update';
  readonly image: Image;
  /** The image before it in this batch; null: the stored mirror row. */
  readonly before: Image | null;
  readonly committedAt: string;
};

/** What a batch means for one table. */
export type TableChanges = {
  readonly table: MirrorTable;
  readonly finals: Map<string, Final>;
  /** In order, for the tables that a journal watches. */
  readonly steps: Step[];
  readonly through: 'slot' | 'log';
  readonly isJournaled: boolean;
  events: number;
};

/**
 * Reduces events to one image per key: the newest version wins, wherever it stands in the batch (a
 * redelivery may repeat an old one behind it), and an unchanged TOAST value keeps what an earlier
 * one in the batch said. A key change is a delete and a create, and the create's unsent values are
 * those of the old key; through a log they are read again from the source.
 *
 * @param through `log`: what a journal needs where partitions are not equally far is noted too
 */
export function collapse(
  events: readonly ChangeEvent[],
  isJournaled: (table: string) => boolean,
  through: 'slot' | 'log' = 'slot',
): Map<string, TableChanges> {
  const tables = new Map<string, TableChanges>();
  for (const event of events) {
    if (event.kind === 'truncate') continue;
    const { table } = event;
    let changes = tables.get(table.name);
    if (changes === undefined) {
      const known = isJournaled(table.name);
      changes = { table, finals: new Map(), steps: [], through, isJournaled: known, events: 0 };
      tables.set(table.name, changes);
    }
    changes.events++;
    if (through === 'log' && changes.isJournaled) changes.steps.push(...placesOf(event));
    if (event.kind === 'delete') {
      remove(changes, event.key, event.version);
    } else if (event.oldKey !== null) {
      moveKey(changes, event.oldKey, event);
    } else {
      const key = keyText(event.table, event.row);
      const earlier = changes.finals.get(key);
      if (event.kind === 'update' && event.committedAt !== null && changes.isJournaled) {
        changes.steps.push({
          kind: 'update',
          key,
          image: event.row,
          before: earlier?.image ?? null,
          version: event.version,
          committedAt: event.committedAt,
        });
      }
      const isUpdate = event.kind === 'update' && (earlier?.isUpdate ?? true);
      const before = event.kind === 'update' ? earlier : undefined;
      const { row, version, mustRead = false } = event;
      const ifKnown = event.ifKnown === true && earlier === undefined;
      write(changes, { key, row, version, isUpdate, mustRead, ifKnown }, before);
    }
  }
  return tables;
}

/** What an event says of the keys of its row; updates are noted beside. */
function placesOf(event: Exclude<ChangeEvent, { readonly kind: 'truncate' }>): Step[] {
  const { table, version } = event;
  if (event.kind === 'delete') {
    return [{ kind: 'delete', key: keyText(table, event.key), version }];
  }
  const { row, oldKey } = event;
  if (event.kind === 'update' && oldKey === null) return [];
  const create: Step = { kind: 'create', key: keyText(table, row), image: row, version };
  return oldKey === null
    ? [create]
    : [{ kind: 'leave', key: keyText(table, oldKey), version }, create];
}

function write(
  changes: TableChanges,
  next: {
    readonly key: string;
    readonly row: Image;
    readonly version: Version;
    readonly isUpdate: boolean;
    readonly mustRead: boolean;
    readonly ifKnown: boolean;
  },
  earlier: Final | undefined,
): void {
  const { key, row, version, isUpdate, ifKnown } = next;
  if (isLate(changes, key, version)) return;
  const image = earlier?.image && !next.mustRead ? fill(row, earlier.image) : row;
  const mustRead = (next.mustRead || earlier?.mustRead === true) && image.includes(undefined);
  changes.finals.set(key, {
    version,
    image,
    key: row.slice(0, changes.table.keyLength),
    carriedFrom: earlier?.carriedFrom ?? null,
    isAnotherRow: earlier?.isAnotherRow ?? false,
    isUpdate,
    mustRead,
    ifKnown,
  });
}

/** Not newer than what the batch holds of this key already. */
function isLate({ finals }: TableChanges, key: string, version: Version): boolean {
  const known = finals.get(key);
  return known !== undefined && compareVersions(version, known.version) <= 0;
}

function remove(changes: TableChanges, key: Image, version: Version): void {
  const text = keyText(changes.table, key);
  if (isLate(changes, text, version)) return;
  changes.finals.set(text, {
    version,
    image: null,
    key: key.slice(0, changes.table.keyLength),
    carriedFrom: null,
    isAnotherRow: false,
    isUpdate: false,
    mustRead: false,
    ifKnown: false,
  });
}

function moveKey(
  changes: TableChanges,
  oldKey: Image,
  { row, version, mustRead: isMarked = false }: RowWritten,
): void {
  // The old key is another partition's, which may bring values of before the change later on.
  const asked = isMarked || changes.through === 'log';
  const from = keyText(changes.table, oldKey);
  const to = keyText(changes.table, row);
  const earlier = isLate(changes, from, version) ? undefined : changes.finals.get(from);
  const image = earlier?.image && !asked ? fill(row, earlier.image) : row;
  const mustRead = (asked || earlier?.mustRead === true) && image.includes(undefined);
  remove(changes, oldKey, version);
  if (isLate(changes, to, version)) return;
  changes.finals.set(to, {
    version,
    image,
    key: row.slice(0, changes.table.keyLength),
    carriedFrom: image.includes(undefined)
      ? (earlier?.carriedFrom ?? { key: from, leftAt: version })
      : null,
    isAnotherRow: changes.finals.get(to)?.image === null,
    isUpdate: false,
    mustRead,
    ifKnown: false,
  });
}

/** `row` with its unsent values taken from `older`. */
export function fill(row: Image, older: Image): Image {
  if (!row.includes(undefined)) return row;
  return row.map((cell: Cell, i): Cell => (cell === undefined ? older[i] : cell));
}
