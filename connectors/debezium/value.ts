import type { Cell } from '../../core/mirror-table.ts';

/** The message does not carry the value, or not all of it: it has to be read from the source. */
export const NOT_CARRIED: unique symbol = Symbol('not carried');
/** `JSON.parse` has rounded the number: the message has to be parsed with all its digits. */
export const ROUNDED: unique symbol = Symbol('rounded');

/** What a value of a message becomes: a cell, or the reason why there is none. */
export type Read = Cell | typeof NOT_CARRIED | typeof ROUNDED;
/** From a value of a message, never null, to PostgreSQL's text. Throws `WrongForm`. */
export type Reader = (value: unknown) => Read;

/** A value is not what its column should have. Says what was expected; the value stays unsaid. */
export class WrongForm extends Error {
  override readonly name = 'WrongForm';
  constructor(expected: string, value: unknown) {
    super(`expected ${expected}, found ${kindOf(value)}`);
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (Buffer.isBuffer(value)) return 'bytes';
  return typeof value === 'object' ? 'an object' : `another ${typeof value}`;
}
