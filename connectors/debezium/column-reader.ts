import type { MirrorColumn } from '../../core/mirror-table.ts';
import { columnTypeOf, type ColumnType } from './column-type.ts';
import { NOT_CARRIED, WrongForm, type Reader } from './value.ts';
import { arrayReader, isNullCarried } from './value-array.ts';
import { bitReader, byteaReader, readPlain, unknownReader } from './value-bytes.ts';
import { intervalReader } from './value-interval.ts';
import type { ValueModes } from './value-modes.ts';
import { decimalReader, readDouble, readInteger, readReal } from './value-number.ts';
import { readHstore, readPoint } from './value-structure.ts';
import { dateReader, readZonedTimestamp, timeReader, timestampReader } from './value-time.ts';
import { expectedShape, STRUCTURES, TEXTS, type WireShape } from './wire-shape.ts';

/** How one column of a message becomes a cell. */
export type ColumnReader = {
  readonly name: string;
  readonly read: Reader;
  /** What null means: null, or something that the message has no form for. */
  readonly ofNull: null | typeof NOT_CARRIED;
};

/** @param shape of the message's schema; null where it has none, so that the settings decide */
export function columnReader(
  column: MirrorColumn,
  shape: WireShape | null,
  modes: ValueModes,
): ColumnReader {
  const type = columnTypeOf(column);
  const known = shape ?? expectedShape(type, modes);
  return {
    name: column.name,
    read: readerFor(type, known, modes),
    ofNull: nullHides(type, known, modes) ? NOT_CARRIED : null,
  };
}

function nullHides(type: ColumnType, shape: WireShape, modes: ValueModes): boolean {
  if (type.isArray) return !isNullCarried(type);
  if (type.name === 'numeric') return shape.type === 'bytes' || shape.type === 'struct';
  const isKnown = TEXTS.has(type.name) && type.name !== 'name';
  return !modes.unknown && !isKnown && (type.name === 'name' || shape.type === 'unknown');
}

function readerFor(type: ColumnType, shape: WireShape, modes: ValueModes): Reader {
  if (type.isArray) {
    const element: ColumnType = { ...type, isArray: false };
    const items = shape.items ?? expectedShape(element, modes);
    return arrayReader(type, readerFor(element, items, modes));
  }
  switch (type.name) {
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'oid':
      return readInteger;
    case 'boolean':
      return readBoolean;
    case 'real':
      return readReal;
    case 'double precision':
      return readDouble;
    case 'numeric':
      return decimalReader(shape);
    case 'money':
      return notCarried; // its text depends on the locale of the source
    case 'date':
      return dateReader(shape);
    case 'time without time zone':
      return timeReader(shape, type);
    case 'timestamp without time zone':
      return timestampReader(shape, type);
    case 'timestamp with time zone':
      return shape.type === 'string' ? readZonedTimestamp : notCarried;
    case 'time with time zone':
      return notCarried; // it comes in UTC: the zone is lost
    case 'interval':
      return intervalReader(shape);
    case 'bytea':
      return byteaReader(modes.binary);
    case 'bit':
    case 'bit varying':
      return bitReader(type);
    case 'hstore':
      return readHstore;
    case 'point':
      return readPoint;
    case 'tstzrange':
      return readZonedRange;
    case 'name':
      return modes.unknown ? readPlain : notCarried;
    default:
      if (TEXTS.has(type.name)) return readPlain;
      if (STRUCTURES.has(type.name)) return notCarried;
      if (shape.name === 'Enum') return readPlain;
      return unknownReader(type, shape, modes);
  }
}

const notCarried: Reader = () => NOT_CARRIED;

const readBoolean: Reader = (value) => {
  if (value === true) return 't';
  if (value === false) return 'f';
  throw new WrongForm('a boolean', value);
};

const OTHER_ZONE = /\d[+-](?!00(?![:\d]))\d\d/;
const DATE_PART = /\d{4,}-\d\d-\d\d/g;

/** The bounds are in the time zone of whoever runs the connector. */
const readZonedRange: Reader = (value) => {
  const text = readPlain(value);
  if (typeof text !== 'string') return text;
  return OTHER_ZONE.test(text.replace(DATE_PART, '')) ? NOT_CARRIED : text;
};
