import { TandemError } from '../../../core/errors.ts';
import type { Lsn } from '../../../core/version.ts';

/** A message ended too early, or holds what the protocol does not know. Never names bytes. */
export function violation(what: string, offset: number): TandemError {
  return new TandemError('PROTOCOL_VIOLATION', { what, offset });
}

/** Reads the head of a message from front to end. Rows have a loop of their own, for speed. */
export class WireReader {
  offset: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, offset: number) {
    this.#bytes = bytes;
    this.offset = offset;
  }

  #take(length: number): number {
    const start = this.offset;
    if (start + length > this.#bytes.length) throw violation('message ends early', start);
    this.offset = start + length;
    return start;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  int64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#take(8)));
  }

  lsn(): Lsn {
    return this.#bytes.readBigUInt64BE(this.#take(8)) as Lsn;
  }

  /** Text up to a zero byte. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.offset);
    if (end === -1) throw violation('text without an end', this.offset);
    const text = this.#bytes.toString('utf8', this.offset, end);
    this.offset = end + 1;
    return text;
  }

  /** A view, valid as long as the message is. */
  bytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }
}
