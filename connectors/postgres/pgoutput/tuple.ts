import type { Cell } from '../../../core/mirror-table.ts';
import { violation } from './wire-reader.ts';

/** How the columns of a wire row become cells: at index i the cell's place, or -1 to skip it. */
export type TuplePlan = {
  readonly places: Int16Array;
  /** A row of `undefined`, to be copied: faster than filling a new one. */
  readonly blank: readonly Cell[];
};

const TEXT = 0x74; // t
const NULL = 0x6e; // n
const UNCHANGED = 0x75; // u

/** Reads rows. An object, so that the end of a row needs no result object per row. */
export class TupleReader {
  /** The first byte behind the row that was read last. */
  end = 0;

  /**
   * Reads the TupleData part of a pgoutput Insert, Update or Delete message.
   *
   * Shape: Int16 number of columns; per column one tag byte: `n` null, `u` unchanged TOAST value
   * (not sent), `t` text, followed by an Int32 length in bytes and that much UTF-8. Big-endian.
   * Columns without a place are stepped over: no string of theirs comes to exist.
   *
   * @param offset first byte of TupleData, counted from the start of `message`
   * @returns one cell per place
   * @throws TandemError `PROTOCOL_VIOLATION` on another tag (`b` too: binary is never asked for) or
   *   an early end. It names the offset, never the bytes: they are somebody's data
   *
   * Source: https://www.postgresql.org/docs/15/protocol-logicalrep-message-formats.html
   */
  read(message: Buffer, offset: number, plan: TuplePlan): Cell[] {
    const { places, blank } = plan;
    const limit = message.length;
    if (offset + 2 > limit) throw violation('row ends early', offset);
    const count = (byteAt(message, offset) << 8) | byteAt(message, offset + 1);
    if (count !== places.length) throw violation('row has another number of columns', offset);

    const cells = blank.slice();
    let at = offset + 2;
    for (let i = 0; i < count; i++) {
      if (at >= limit) throw violation('row ends early', at);
      const tag = message[at];
      const place = places[i] ?? -1;
      at++;
      if (tag === TEXT) {
        if (at + 4 > limit) throw violation('row ends early', at);
        const length =
          (byteAt(message, at) << 24) |
          (byteAt(message, at + 1) << 16) |
          (byteAt(message, at + 2) << 8) |
          byteAt(message, at + 3);
        const start = at + 4;
        at = start + length;
        if (length < 0 || at > limit) throw violation('value ends early', start);
        if (place >= 0) cells[place] = textOf(message, start, at);
      } else if (tag === NULL) {
        if (place >= 0) cells[place] = null;
      } else if (tag !== UNCHANGED) {
        throw violation('value of an unknown kind', at - 1);
      }
    }
    this.end = at;
    return cells;
  }
}

/** Up to here, joining characters in JavaScript is faster than one call into C++ (measured). */
const SHORT = 10;
const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

function textOf(message: Buffer, start: number, end: number): string {
  if (end - start > SHORT) return message.toString('utf8', start, end);
  let text = '';
  for (let i = start; i < end; i++) {
    const character = ASCII[byteAt(message, i)];
    if (character === undefined) return message.toString('utf8', start, end);
    text += character;
  }
  return text;
}

/** The caller has compared `index` with the length. */
function byteAt(message: Buffer, index: number): number {
  return message[index] ?? 0;
}
