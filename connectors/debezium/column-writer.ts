import type { Cell, MirrorColumn } from '../../core/mirror-table.ts';
import { columnReader, type ColumnReader } from './column-reader.ts';
import { columnTypeOf, type ColumnType } from './column-type.ts';
import { UNAVAILABLE } from './message.ts';
import { parseArray, unavailableArray, type Elements } from './value-array.ts';
import { bytesOfBits, bytesOfBytea } from './value-bytes.ts';
import { isoInterval } from './value-interval.ts';
import { EXACT_MODES } from './value-modes.ts';
import { decimalWord, integerOf } from './value-number.ts';
import { hstoreJson, pointOf, UNAVAILABLE_HSTORE } from './value-structure.ts';
import { dateDays, timeNumber, timestampNumber, zonedIso, zonedTimeIso } from './value-time.ts';
import { expectedShape, STRUCTURES, TEXTS, type WireShape } from './wire-shape.ts';

/** Bytes as the format has them: Avro as they are, JSON in base64. */
export type BytesForm = (bytes: Buffer) => unknown;

/** PostgreSQL's text to the value of a message; null where Debezium has no form for it. */
type Writer = (text: string) => unknown;

/** A value of a message, and what has to go beside it because the value does not say it. */
type Written = {
  readonly value: unknown;
  /** The text, or null for SQL null; `false`: the value was left alone. */
  readonly exact?: string | null | false;
};

const NULL: Written = { value: null };

/**
 * Writes one column as Debezium does. What was written is read again by what our own readers use:
 * where that is not the same text, the text goes beside it.
 */
export class ColumnWriter {
  readonly name: string;
  readonly shape: WireShape;
  readonly type: ColumnType;
  readonly #write: Writer;
  readonly #reader: ColumnReader;
  /** Text comes as it is, and integers and booleans too: nothing to compare. */
  readonly #isPlain: boolean;
  readonly #unavailable: unknown;

  constructor(column: MirrorColumn, bytes: BytesForm) {
    this.name = column.name;
    this.type = columnTypeOf(column);
    this.shape = expectedShape(this.type, EXACT_MODES);
    this.#write = writerFor(this.type, this.shape, bytes);
    this.#reader = columnReader(column, null, EXACT_MODES);
    this.#isPlain = isPlain(this.type);
    this.#unavailable = unavailable(this.type, bytes);
  }

  write(cell: Cell): Written {
    if (cell === undefined) {
      return this.#unavailable === null
        ? { value: null, exact: false }
        : { value: this.#unavailable };
    }
    if (cell === null) return this.#reader.ofNull === null ? NULL : { value: null, exact: null };
    const value = this.#write(cell);
    const isExact = this.#isPlain
      ? cell !== UNAVAILABLE
      : value !== null && value !== UNAVAILABLE && this.#reader.read(value) === cell;
    return isExact ? { value } : { value, exact: cell };
  }

  /** A value of a key, which nobody needs to read exactly. */
  keyValue(cell: Cell): unknown {
    return cell === null || cell === undefined ? null : this.#write(cell);
  }
}

const INTEGERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint', 'oid']);

function isPlain({ name, isArray, madeKind }: ColumnType): boolean {
  if (isArray) return false;
  const isText = TEXTS.has(name) && name !== 'tstzrange';
  return isText || madeKind === 'e' || INTEGERS.has(name) || name === 'boolean';
}

function unavailable(type: ColumnType, bytes: BytesForm): unknown {
  if (type.isArray) return unavailableArray(type, bytes);
  if (type.name === 'bytea') return bytes(Buffer.from(UNAVAILABLE));
  if (type.name === 'hstore') return UNAVAILABLE_HSTORE;
  return TEXTS.has(type.name) || type.name === 'numeric' ? UNAVAILABLE : null;
}

function writerFor(type: ColumnType, shape: WireShape, bytes: BytesForm): Writer {
  if (type.isArray) {
    const element = writerFor({ ...type, isArray: false }, shape.items ?? shape, bytes);
    return (text) => {
      const elements = parseArray(text);
      return elements === null ? null : writeElements(elements, element);
    };
  }
  switch (type.name) {
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'oid':
      return integerOf;
    case 'boolean':
      return (text) => text === 't';
    case 'real':
    case 'double precision':
      return Number;
    case 'numeric':
      return decimalWord;
    case 'money':
      return (text) => text.replace(/[^\d.-]/g, '');
    case 'date':
      return dateDays;
    case 'time without time zone':
      return (text) => timeNumber(text, shape);
    case 'timestamp without time zone':
      return (text) => timestampNumber(text, shape);
    case 'timestamp with time zone':
      return zonedIso;
    case 'time with time zone':
      return zonedTimeIso;
    case 'interval':
      return isoInterval;
    case 'bytea':
      return (text) => bytes(bytesOfBytea(text));
    case 'bit':
    case 'bit varying':
      return shape.type === 'boolean' ? (text) => text === '1' : (text) => bytes(bytesOfBits(text));
    case 'hstore':
      return hstoreJson;
    case 'point':
      return (text) => pointOf(text, bytes);
    default:
      if (TEXTS.has(type.name) || type.madeKind === 'e') return (text) => text;
      if (STRUCTURES.has(type.name)) return () => null;
      return (text) => bytes(Buffer.from(text));
  }
}

/** Several dimensions come as one null each, as from Debezium. */
function writeElements(elements: Elements, write: Writer): unknown[] {
  return elements.map((element) => (typeof element === 'string' ? write(element) : null));
}
