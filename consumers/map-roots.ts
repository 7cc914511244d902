import type pg from 'pg';
import type { DerivedEntity } from '../core/entity.ts';
import { TandemError, type ErrorCode } from '../core/errors.ts';
import { keyText, type Image, type MirrorTable } from '../core/mirror-table.ts';
import type { Issue, Ref, TargetRow } from '../core/outcome.ts';
import type { KeyForm, LegacyKey } from '../core/uuid.ts';
import type { Roots } from './affected.ts';
import type { TreeLoader } from './load-tree.ts';

/** A target row with the table it goes to. */
export type PlannedRow = { readonly table: string; readonly row: TargetRow; readonly id: string };

/** What a root came to, before references are resolved. */
export type Mapped = {
  readonly key: string;
  readonly outcome:
    | {
        readonly kind: 'rows';
        readonly rows: readonly PlannedRow[];
        readonly issues: readonly Issue[];
      }
    | { readonly kind: 'held'; readonly column: string; readonly parent: Ref }
    | { readonly kind: 'excluded'; readonly rule: string }
    | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string }
    | { readonly kind: 'gone' };
};

/** Reads the roots' trees and maps them. A root that is not in the mirror any more is `gone`. */
export async function mapRoots(
  client: pg.ClientBase,
  entity: DerivedEntity,
  loader: TreeLoader,
  roots: Roots,
): Promise<Mapped[]> {
  const images: Image[] = [];
  const unread: string[] = [];
  const gone = new Set<string>();
  for (const [key, image] of roots) {
    if (image === undefined) unread.push(key);
    else if (image === null) gone.add(key);
    else images.push(image);
  }
  if (unread.length > 0) {
    const read = await loader.rootsByKey(client, unread);
    const found = new Set(read.map((image) => keyText(loader.root, image)));
    for (const image of read) images.push(image);
    for (const key of unread) if (!found.has(key)) gone.add(key);
  }
  const mapped = await mapImages(client, entity, loader, images);
  for (const key of gone) mapped.push({ key, outcome: { kind: 'gone' } });
  return mapped;
}

/** Maps whole root rows. */
export async function mapImages(
  client: pg.ClientBase,
  entity: DerivedEntity,
  loader: TreeLoader,
  images: readonly Image[],
): Promise<Mapped[]> {
  const trees = await loader.load(client, images);
  return trees.map((tree, i) => {
    const key = keyText(loader.root, images[i] ?? []);
    return { key, outcome: mapOne(entity, key, tree) };
  });
}

function mapOne(entity: DerivedEntity, key: string, tree: unknown): Mapped['outcome'] {
  try {
    const outcome = entity.map(tree as never);
    switch (outcome.kind) {
      case 'rows': {
        if (outcome.rows.length === 0) return { kind: 'excluded', rule: 'no_rows' };
        const rows = outcome.rows.map(({ table, row }) => plan(entity, key, table, row));
        return { kind: 'rows', rows, issues: outcome.issues };
      }
      case 'held':
      case 'excluded':
        return outcome;
      case 'rejected':
        return { kind: 'refused', code: 'MAPPING_REJECTED_ROW', message: outcome.reason };
    }
  } catch (error) {
    if (error instanceof TandemError) {
      return { kind: 'refused', code: error.code, message: error.message };
    }
    // The message of a thrown error may quote a value of the row: its class and place are enough.
    const name = error instanceof Error ? error.name : typeof error;
    return { kind: 'refused', code: 'MAPPING_THREW', message: `${name} in ${entity.definedAt}` };
  }
}

function plan(
  entity: DerivedEntity,
  key: string,
  table: string | null,
  row: TargetRow,
): PlannedRow {
  const into = table ?? entity.targets[0] ?? '';
  if (!entity.targets.includes(into)) {
    throw new TandemError('MAPPING_INVALID', {
      entity: entity.name,
      table: into,
      reason: 'not among its targets',
    });
  }
  const { id } = row;
  if (!entity.fanOut && (id.identity !== entity.identity || textOf(id.key) !== key)) {
    throw new TandemError('MAPPING_INVALID', {
      entity: entity.name,
      reason: 'a row id that is not of its root needs fanOut',
    });
  }
  return { table: into, row, id: id.uuid };
}

function textOf(key: LegacyKey): string {
  return typeof key === 'object' ? JSON.stringify(key.map(String)) : String(key);
}

/** The legacy key that a root's `ref` carries, from its key's text. */
export function legacyKey(table: MirrorTable, key: string): LegacyKey {
  const types = table.columns.slice(0, table.keyLength).map((column) => column.type);
  if (types.length === 1) return isInteger(types[0]) ? integerKey(key) : key;
  const parts = JSON.parse(key) as string[];
  const [a, b] = parts;
  if (types.length === 2 && types.every(isInteger)) return [Number(a), Number(b)];
  return key;
}

/** The form that the ids of a root table's keys have. */
export function keyForm(table: MirrorTable): KeyForm {
  const types = table.columns.slice(0, table.keyLength).map((column) => column.type);
  if (!types.every(isInteger) || types.length > 2) return 2;
  return types.length === 2 ? 1 : 0;
}

export const isInteger = (type: string | undefined) => /^(small|big)?int(eger)?$/.test(type ?? '');

function integerKey(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}
