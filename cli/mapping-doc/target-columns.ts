import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A column as the migrations declare it, or announce it. */
export type DeclaredColumn = {
  readonly name: string;
  readonly type: string;
  readonly notNull: boolean;
  readonly owner: 'replication' | 'target' | 'engine';
  /** Set for a column that a later migration will add, with the table that it waits for. */
  readonly waitsFor: string | null;
};

/** Reads `create table` statements of migration files; by table. */
export function readTargetColumns(folder: string): ReadonlyMap<string, readonly DeclaredColumn[]> {
  const text = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  const tables = new Map<string, DeclaredColumn[]>();
  for (const [, table = '', body = ''] of text.matchAll(
    /^create table (?:public\.)?(\w+) \(\n(.*?)^\);/gms,
  )) {
    tables.set(table, columnsOf(body));
  }
  for (const [, table = '', name = '', type = ''] of text.matchAll(
    /^alter table (?:public\.)?(\w+)\s+add column (\w+) (\S+)/gm,
  )) {
    tables
      .get(table)
      ?.push({ name, type: cleanType(type), notNull: false, owner: 'replication', waitsFor: null });
  }
  for (const [, table = '', name = '', type = '', parent = ''] of text.matchAll(
    /^-- +(\w+)\.(\w+) (\w+) references (\w+)$/gm,
  )) {
    const columns = tables.get(table) ?? [];
    if (columns.some((column) => column.name === name)) continue;
    columns.push({ name, type, notNull: false, owner: 'replication', waitsFor: parent });
  }
  return tables;
}

const OF_ENGINE = new Set(['deleted_at', 'created_at', 'updated_at']);

function columnsOf(body: string): DeclaredColumn[] {
  const columns: DeclaredColumn[] = [];
  let owner: DeclaredColumn['owner'] = 'replication';
  for (const line of body.split('\n')) {
    if (/^\s*-- target-owned/.test(line)) owner = 'target';
    if (/^\s*-- bookkeeping/.test(line)) owner = 'replication';
    const [, name, type] = /^ {2}(\w+) ([\w.]+(?:\([\d,]+\))?(?:\[\])?)/.exec(line) ?? [];
    if (name === undefined || type === undefined) continue;
    if (['constraint', 'unique', 'primary', 'check', 'foreign'].includes(name)) continue;
    const isEngine = OF_ENGINE.has(name);
    columns.push({
      name,
      type: cleanType(type),
      notNull: /not null|primary key/.test(line),
      owner: isEngine ? 'engine' : owner,
      waitsFor: null,
    });
  }
  return columns;
}

const cleanType = (type: string): string => type.replace(/^public\./, '').replace(/[,;]$/, '');

/** The values of the enumerated types, by name. */
export function readEnums(folder: string): ReadonlyMap<string, ReadonlySet<string>> {
  const enums = new Map<string, ReadonlySet<string>>();
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.sql'))) {
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, type = '', body = ''] of text.matchAll(
      /^create type (?:public\.)?(\w+) as enum \(([^)]*)\)/gm,
    )) {
      enums.set(type, new Set(Array.from(body.matchAll(/'([^']+)'/g), ([, value = '']) => value)));
    }
  }
  return enums;
}
