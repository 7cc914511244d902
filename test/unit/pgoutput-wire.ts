import { SourceTypes, type KnownType } from '../../connectors/postgres/pgoutput/source-types.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';

/** Messages as a server writes them. */
export const wire = {
  uint8: (value: number) => Buffer.from([value]),
  int16: (value: number) => {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    return bytes;
  },
  int32: (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  },
  int64: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return bytes;
  },
  text: (value: string) => Buffer.from(`${value}\0`),
};

/** A string is text, `null` is null, `undefined` an unchanged TOAST value. */
export function tuple(values: readonly (string | null | undefined)[]): Buffer {
  const cells = values.map((value) => {
    if (value === null) return Buffer.from('n');
    if (value === undefined) return Buffer.from('u');
    return Buffer.concat([
      Buffer.from('t'),
      wire.int32(Buffer.byteLength(value)),
      Buffer.from(value),
    ]);
  });
  return Buffer.concat([wire.int16(values.length), ...cells]);
}

export const OID = 4711;

export const message = {
  begin: (commitLsn: bigint, at = 0n) =>
    Buffer.concat([Buffer.from('B'), wire.int64(commitLsn), wire.int64(at), wire.int32(7)]),
  commit: (commitLsn: bigint, end: bigint) =>
    Buffer.concat([Buffer.from('C\0'), wire.int64(commitLsn), wire.int64(end), wire.int64(0n)]),
  relation: (
    columns: readonly { name: string; oid?: number; typmod?: number; inKey?: boolean }[],
    options: { identity?: string; name?: string; oid?: number } = {},
  ) =>
    Buffer.concat([
      Buffer.from('R'),
      wire.int32(options.oid ?? OID),
      wire.text('public'),
      wire.text(options.name ?? 'note'),
      Buffer.from(options.identity ?? 'd'),
      wire.int16(columns.length),
      ...columns.map(({ name, oid = 25, typmod = -1, inKey = false }) =>
        Buffer.concat([
          wire.uint8(inKey ? 1 : 0),
          wire.text(name),
          wire.int32(oid),
          wire.int32(typmod),
        ]),
      ),
    ]),
  insert: (values: readonly (string | null | undefined)[]) =>
    Buffer.concat([Buffer.from('I'), wire.int32(OID), Buffer.from('N'), tuple(values)]),
  update: (
    values: readonly (string | null | undefined)[],
    old?: { tag: 'K' | 'O'; values: readonly (string | null | undefined)[] },
  ) =>
    Buffer.concat([
      Buffer.from('U'),
      wire.int32(OID),
      ...(old === undefined ? [] : [Buffer.from(old.tag), tuple(old.values)]),
      Buffer.from('N'),
      tuple(values),
    ]),
  remove: (values: readonly (string | null | undefined)[]) =>
    Buffer.concat([Buffer.from('D'), wire.int32(OID), Buffer.from('K'), tuple(values)]),
  type: (oid: number, schema: string, name: string) =>
    Buffer.concat([Buffer.from('Y'), wire.int32(oid), wire.text(schema), wire.text(name)]),
  truncate: (...oids: readonly number[]) =>
    Buffer.concat([
      Buffer.from('T'),
      wire.int32(oids.length),
      wire.uint8(0),
      ...oids.map(wire.int32),
    ]),
  logical: (prefix: string, content: string, lsn = 1n, flags = 0) =>
    Buffer.concat([
      Buffer.from('M'),
      wire.uint8(flags),
      wire.int64(lsn),
      wire.text(prefix),
      wire.int32(Buffer.byteLength(content)),
      Buffer.from(content),
    ]),
};

function known(oid: number, internalName: string, name: string): [number, KnownType] {
  const base = { oid, name, elementOid: 0 };
  return [oid, { name, internalName, isDomain: false, base, baseKind: 'b' }];
}

export const TYPES = new SourceTypes(
  new Map([
    known(23, 'int4', 'integer'),
    known(20, 'int8', 'bigint'),
    known(25, 'text', 'text'),
    known(1043, 'varchar', 'character varying'),
    known(50_000, 'mood', 'public.mood'),
  ]),
  new Map(),
);

export function tableOf(
  columns: readonly (readonly [name: string, type: string, sourceType?: string])[],
  keyLength = 1,
): MirrorTable {
  return {
    name: 'note',
    schema: 'public',
    relation: 'note',
    keyLength,
    columns: columns.map(([name, type, sourceType = type], i) => ({
      name,
      type,
      sourceType,
      inKey: i < keyLength,
    })),
  };
}
