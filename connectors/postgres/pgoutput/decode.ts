import { TandemError } from '../../../core/errors.ts';
import type { MirrorTable } from '../../../core/mirror-table.ts';
import type { Lsn } from '../../../core/version.ts';
import type { BeginMessage, PgoutputMessage, RelationMessage, SkippedMessage } from './messages.ts';
import {
  planRelation,
  type RelationPlan,
  type ResolveType,
  type WireColumn,
  type WireRelation,
} from './relation-plan.ts';
import type { NamedType, SourceTypes } from './source-types.ts';
import { hasTextForm } from './translate.ts';
import { TupleReader } from './tuple.ts';
import { violation, WireReader } from './wire-reader.ts';

const BEGIN = 0x42; // B
const COMMIT = 0x43; // C
const DELETE = 0x44; // D
const INSERT = 0x49; // I
const LOGICAL_MESSAGE = 0x4d; // M
const NEW_ROW = 0x4e; // N
const OLD_KEY = 0x4b; // K
const OLD_ROW = 0x4f; // O
const ORIGIN = 0x4f; // O
const RELATION = 0x52; // R
const TRUNCATE = 0x54; // T
const TYPE = 0x59; // Y
const UPDATE = 0x55; // U

const SKIPPED: SkippedMessage = { kind: 'skipped' };

/** Mapped tables by `schema.relation`, as the source names them. */
type TablesByName = ReadonlyMap<string, MirrorTable>;

/**
 * By mapped name: transactions that commit before this place in the log are stepped over, the
 * table's description included. Absent: all are read.
 */
type ReadFrom = ReadonlyMap<string, Lsn>;

/**
 * A mapped table as the stream describes it: for a reader that takes more of its columns than the
 * mapping does. What it returns is the table of the changes that follow.
 */
export type Describe = (
  table: MirrorTable,
  wire: WireRelation,
  resolve: ResolveType,
) => MirrorTable;

/**
 * Decodes pgoutput, protocol version 1 (PostgreSQL 10 and later): mapped columns of mapped tables,
 * and nothing else. Values are copied out of the message, which may be overwritten afterwards.
 * Keeps what the connection has said about relations, so each connection needs a decoder of its own.
 */
export class PgoutputDecoder {
  readonly #tables: TablesByName;
  readonly #types: SourceTypes;
  readonly #from: ReadFrom;
  readonly #describe: Describe;
  /** By relation OID; null for a relation that is not mapped, an error for one that does not fit. */
  readonly #plans = new Map<number, RelationPlan | TandemError | null>();
  /** Of Type messages: user-defined types that the catalogue may have lost since. */
  readonly #announced = new Map<number, NamedType>();
  readonly #rows = new TupleReader();
  /** Of the transaction that is being read. */
  #commitLsn: Lsn | null = null;

  constructor(
    tables: TablesByName,
    types: SourceTypes,
    from: ReadFrom = new Map(),
    describe: Describe = (table) => table,
  ) {
    this.#tables = tables;
    this.#from = from;
    this.#describe = describe;
    this.#types = types;
  }

  /**
   * @throws TandemError `PROTOCOL_VIOLATION` on what the protocol does not allow, `RELATION_CHANGED`
   *   where a table no longer has what the mapping reads
   */
  decode(message: Buffer): PgoutputMessage {
    switch (kindOf(message)) {
      case UPDATE:
        return this.#update(message);
      case INSERT:
        return this.#insert(message);
      case DELETE:
        return this.#delete(message);
      case BEGIN:
        return this.#begin(new WireReader(message, 1));
      case COMMIT:
        return commit(new WireReader(message, 1));
      case RELATION:
        return this.#relation(new WireReader(message, 1));
      case TYPE:
        return this.#type(new WireReader(message, 1));
      case TRUNCATE:
        return this.#truncate(new WireReader(message, 1));
      case LOGICAL_MESSAGE:
        return logicalMessage(new WireReader(message, 1));
      case ORIGIN:
        return SKIPPED;
      default:
        throw violation('message of an unknown kind', 0);
    }
  }

  #insert(message: Buffer): PgoutputMessage {
    const plan = this.#planFor(message);
    if (plan === null) return SKIPPED;
    expectTag(message, 5, NEW_ROW);
    const row = this.#rows.read(message, 6, plan.row);
    this.#expectEnd(message);
    return { kind: 'insert', table: plan.table, row };
  }

  #update(message: Buffer): PgoutputMessage {
    const plan = this.#planFor(message);
    if (plan === null) return SKIPPED;
    const tag = message[5];
    let at = 5;
    let old = null;
    if (tag === OLD_KEY || tag === OLD_ROW) {
      // In a key tuple all other columns are null, which does not mean that they were.
      old = this.#rows.read(message, 6, tag === OLD_KEY ? plan.key : plan.row);
      at = this.#rows.end;
    }
    expectTag(message, at, NEW_ROW);
    const row = this.#rows.read(message, at + 1, plan.row);
    this.#expectEnd(message);
    return { kind: 'update', table: plan.table, old, row };
  }

  #delete(message: Buffer): PgoutputMessage {
    const plan = this.#planFor(message);
    if (plan === null) return SKIPPED;
    const tag = message[5];
    if (tag !== OLD_KEY && tag !== OLD_ROW) throw violation('row of an unknown kind', 5);
    const key = this.#rows.read(message, 6, plan.key);
    this.#expectEnd(message);
    return { kind: 'delete', table: plan.table, key };
  }

  /** The plan of the relation that bytes 1 to 4 name; null where it is not mapped. */
  #planFor(message: Buffer): RelationPlan | null {
    if (message.length < 6) throw violation('message ends early', message.length);
    const plan = this.#plans.get(message.readUInt32BE(1));
    if (plan === undefined) throw violation('relation was not described', 1);
    if (plan instanceof TandemError) {
      if (this.#isEarly(String(plan.details['table']))) return null;
      throw plan;
    }
    return plan === null || this.#isEarly(plan.table.name) ? null : plan;
  }

  /** The transaction in hand is one that this table leaves out. */
  #isEarly(table: string): boolean {
    const from = this.#from.get(table);
    return from !== undefined && this.#commitLsn !== null && this.#commitLsn < from;
  }

  #begin(wire: WireReader): PgoutputMessage {
    const message = begin(wire);
    this.#commitLsn = message.commitLsn;
    return message;
  }

  #expectEnd(message: Buffer): void {
    if (this.#rows.end !== message.length) throw violation('message goes on', this.#rows.end);
  }

  #relation(wire: WireReader): RelationMessage | SkippedMessage {
    const oid = wire.uint32();
    const schema = wire.text() || 'pg_catalog';
    const relation = wire.text();
    const replicaIdentity = String.fromCharCode(wire.uint8());
    const columns: WireColumn[] = [];
    for (let left = wire.uint16(); left > 0; left--) {
      const isFlagged = (wire.uint8() & 1) === 1;
      const name = wire.text();
      columns.push({ isFlagged, name, typeOid: wire.uint32(), typmod: wire.int32() });
    }
    const mapped = this.#tables.get(`${schema}.${relation}`);
    const isFirst = !this.#plans.has(oid);
    if (mapped === undefined) {
      this.#plans.set(oid, null);
      return SKIPPED;
    }
    const described = { schema, relation, replicaIdentity, columns };
    let table = mapped;
    try {
      const nameOf: ResolveType = ({ typeOid, typmod }) => this.#nameOf(typeOid, typmod);
      table = this.#describe(mapped, described, nameOf);
      this.#plans.set(oid, planRelation(table, described, nameOf));
    } catch (error) {
      // It is described once, and perhaps in a transaction that does not count: then its rows tell.
      if (!(error instanceof TandemError)) throw error;
      this.#plans.set(oid, error);
      if (!this.#isEarly(table.name)) throw error;
    }
    return { kind: 'relation', table, isFirst };
  }

  #nameOf(oid: number, typmod: number): NamedType | null {
    return this.#types.resolve(oid, typmod) ?? this.#announced.get(oid) ?? null;
  }

  /** Sent before a relation that uses a type which somebody made; for a domain it names the base. */
  #type(wire: WireReader): SkippedMessage {
    const oid = wire.uint32();
    const schema = wire.text();
    const name = wire.text();
    const isBuiltIn = schema === '' || schema === 'pg_catalog';
    this.#announced.set(oid, {
      name: isBuiltIn ? name : `${schema}.${name}`,
      mirrorType: isBuiltIn ? (this.#types.builtIn(name) ?? name) : 'text',
    });
    return SKIPPED;
  }

  #truncate(wire: WireReader): PgoutputMessage {
    const count = wire.uint32();
    wire.uint8(); // CASCADE and RESTART IDENTITY: all emptied tables are listed either way
    const tables: MirrorTable[] = [];
    for (let i = 0; i < count; i++) {
      const plan = this.#plans.get(wire.uint32());
      if (plan === undefined) throw violation('relation was not described', wire.offset - 4);
      if (plan instanceof TandemError) tables.push(...this.#mapped(plan));
      else if (plan !== null && !this.#isEarly(plan.table.name)) tables.push(plan.table);
    }
    return tables.length === 0 ? SKIPPED : { kind: 'truncate', tables };
  }

  /** What a table that does not fit leaves of a truncate: nothing, or the error. */
  #mapped(problem: TandemError): readonly MirrorTable[] {
    if (this.#isEarly(String(problem.details['table']))) return [];
    throw problem;
  }
}

function expectTag(message: Buffer, offset: number, tag: number): void {
  if (message[offset] !== tag) throw violation('row of an unknown kind', offset);
}

function kindOf(message: Buffer): number {
  return message[0] ?? 0;
}

function begin(wire: WireReader): BeginMessage {
  const commitLsn = wire.lsn();
  const at = wire.offset;
  const committedAt = wire.int64();
  if (!hasTextForm(committedAt)) throw violation('commit time out of range', at);
  return { kind: 'begin', commitLsn, committedAt, transactionId: wire.uint32() };
}

function commit(wire: WireReader): PgoutputMessage {
  wire.uint8(); // flags, unused
  const commitLsn = wire.lsn();
  const endLsn = wire.lsn();
  wire.int64(); // commit time: Begin has it too
  return { kind: 'commit', commitLsn, endLsn };
}

function logicalMessage(wire: WireReader): PgoutputMessage {
  const isTransactional = (wire.uint8() & 1) === 1;
  const lsn = wire.lsn();
  const prefix = wire.text();
  const content = wire.bytes(wire.uint32());
  return { kind: 'message', isTransactional, lsn, prefix, content };
}
