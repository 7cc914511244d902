/** Types whose modifier is a length: stored as length + 4. */
const WITH_LENGTH: Readonly<Record<number, string>> = {
  1042: 'character',
  1043: 'character varying',
};
const WITH_BITS: Readonly<Record<number, string>> = { 1560: 'bit', 1562: 'bit varying' };
const WITH_PRECISION: Readonly<Record<number, readonly [string, string]>> = {
  1083: ['time', ' without time zone'],
  1114: ['timestamp', ' without time zone'],
  1184: ['timestamp', ' with time zone'],
  1266: ['time', ' with time zone'],
};
const ARRAYS: Readonly<Record<number, number>> = {
  1014: 1042,
  1015: 1043,
  1561: 1560,
  1563: 1562,
  1183: 1083,
  1115: 1114,
  1185: 1184,
  1270: 1266,
  1231: 1700,
};

/**
 * What `format_type(oid, typmod)` prints for the built-in types that take a modifier; null for all
 * others. Needed for modifiers that a column had once: the catalogue knows only the present ones.
 */
export function formatType(oid: number, typmod: number): string | null {
  const element = ARRAYS[oid];
  if (element !== undefined) {
    const name = formatType(element, typmod);
    return name === null ? null : `${name}[]`;
  }
  const withLength = WITH_LENGTH[oid];
  if (withLength !== undefined) return `${withLength}(${typmod - 4})`;
  const withBits = WITH_BITS[oid];
  if (withBits !== undefined) return `${withBits}(${typmod})`;
  const withPrecision = WITH_PRECISION[oid];
  if (withPrecision !== undefined) return `${withPrecision[0]}(${typmod})${withPrecision[1]}`;
  return oid === 1700 ? formatNumeric(typmod - 4) : null;
}

/** Precision in the upper 16 bits; scale in the lower 11, signed since PostgreSQL 15. */
function formatNumeric(modifier: number): string {
  const precision = (modifier >> 16) & 0xffff;
  const scale = ((modifier & 0x7ff) ^ 1024) - 1024;
  return `numeric(${precision},${scale})`;
}

const SHAPE = /^([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?((?: with(?:out)? time zone)?)$/;

type TypeShape = {
  readonly family: string;
  readonly first: number | null;
  readonly second: number;
};

function shapeOf(name: string): TypeShape | null {
  const match = SHAPE.exec(name);
  if (match === null) return null;
  return {
    family: `${match[1]}${match[4]}`,
    first: match[2] === undefined ? null : Number(match[2]),
    second: match[3] === undefined ? 0 : Number(match[3]),
  };
}

const INTEGERS = ['smallint', 'integer', 'bigint'];
const TEXTS = ['character varying', 'text'];

/**
 * Whether a column of type `holder` takes every value of type `held` unchanged: the same type, or a
 * narrower one of the same family. A refusal may be too strict, never an acceptance.
 */
export function canHold(holder: string, held: string): boolean {
  if (holder === held) return true;
  if (holder.endsWith('[]') && held.endsWith('[]')) {
    return canHold(holder.slice(0, -2), held.slice(0, -2));
  }
  const wide = shapeOf(holder);
  const narrow = shapeOf(held);
  if (wide === null || narrow === null) return false;
  if (INTEGERS.includes(narrow.family)) {
    if (INTEGERS.includes(wide.family)) {
      return INTEGERS.indexOf(narrow.family) <= INTEGERS.indexOf(wide.family);
    }
    return wide.family === 'numeric' && wide.first === null;
  }
  if (TEXTS.includes(wide.family) && TEXTS.includes(narrow.family)) {
    return wide.first === null || (narrow.first !== null && narrow.first <= wide.first);
  }
  if (wide.family === 'numeric' && narrow.family === 'numeric') return holdsNumeric(wide, narrow);
  if (wide.family === 'double precision' && narrow.family === 'real') return true;
  // Times: without a precision means six digits, the most there are.
  if (wide.family === narrow.family && /^(time|timestamp|bit varying)\b/.test(wide.family)) {
    return wide.first === null || (narrow.first !== null && narrow.first <= wide.first);
  }
  return false;
}

function holdsNumeric(wide: TypeShape, narrow: TypeShape): boolean {
  if (wide.first === null) return true;
  if (narrow.first === null) return false;
  return narrow.second <= wide.second && narrow.first - narrow.second <= wide.first - wide.second;
}
