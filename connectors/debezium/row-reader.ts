import type { ErrorCode } from '../../core/errors.ts';
import type { Cell, MirrorTable } from '../../core/mirror-table.ts';
import type { ColumnReader } from './column-reader.ts';
import type { Fields } from './envelope.ts';
import { UNAVAILABLE } from './message.ts';
import { NOT_CARRIED, ROUNDED, WrongForm } from './value.ts';

/** A message that says what it should not. The text names table and column, never a value. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * PostgreSQL's texts that the message carries beside its own form, by column; `false` where the value
 * was left alone.
 */
export type ExactValues = Readonly<Record<string, string | null | false>>;

/** Reads rows of one table, from messages of one form. */
export class RowReader {
  /** The last row has cells that the message could not carry. */
  mustRead = false;
  /** The last row has numbers that the parser has rounded: it does not count. */
  isRounded = false;
  readonly #table: MirrorTable;
  readonly #columns: readonly ColumnReader[];
  readonly #mayReread: boolean;

  /** @param columns one for each of the table's, by the names that the messages use */
  constructor(table: MirrorTable, columns: readonly ColumnReader[], mayReread: boolean) {
    this.#table = table;
    this.#columns = columns;
    this.#mayReread = mayReread;
  }

  /**
   * The row's cells. `undefined` is an unchanged large value, or one that the message does not carry
   * (then `mustRead` is set).
   *
   * @throws Unreadable
   */
  row(fields: Fields, exact: ExactValues | null): Cell[] {
    return this.#read(fields, this.#columns.length, exact);
  }

  /** The key's cells alone. */
  key(fields: Fields, exact: ExactValues | null): Cell[] {
    return this.#read(fields, this.#table.keyLength, exact);
  }

  #read(fields: Fields, count: number, exact: ExactValues | null): Cell[] {
    const { keyLength } = this.#table;
    const cells: Cell[] = [];
    this.mustRead = false;
    this.isRounded = false;
    for (let i = 0; i < count; i++) {
      const column = this.#columns[i] as ColumnReader;
      const beside = exact === null ? undefined : exact[this.#table.columns[i]?.name ?? ''];
      const read =
        beside === undefined
          ? this.#value(column, fields[column.name])
          : beside === false
            ? undefined
            : beside;
      if (typeof read === 'symbol') {
        if (read === ROUNDED) {
          this.isRounded = true;
          return cells;
        }
        this.#refuse(column, i < keyLength);
        this.mustRead = true;
        cells.push(undefined);
      } else {
        if (i < keyLength && typeof read !== 'string') throw this.#noKey(column, read);
        cells.push(read);
      }
    }
    return cells;
  }

  #value(column: ColumnReader, value: unknown): Cell | typeof NOT_CARRIED | typeof ROUNDED {
    if (value === UNAVAILABLE) return undefined;
    if (value === null) return column.ofNull;
    // Not in the message: written before the column was there, or left out by the connector.
    if (value === undefined) return NOT_CARRIED;
    try {
      return column.read(value);
    } catch (error) {
      if (!(error instanceof WrongForm)) throw error;
      throw new Unreadable('MESSAGE_UNREADABLE', `column ${column.name}: ${error.message}`);
    }
  }

  #refuse(column: ColumnReader, isKey: boolean): void {
    if (isKey) {
      const what = `key column ${column.name}: the message does not carry its value`;
      throw new Unreadable('VALUE_NOT_CARRIED', what);
    }
    if (this.#mayReread) return;
    const what = `column ${column.name}: the message does not carry its value`;
    throw new Unreadable('VALUE_NOT_CARRIED', what);
  }

  #noKey(column: ColumnReader, value: null | undefined): Unreadable {
    const what = value === null ? 'null' : 'a placeholder';
    return new Unreadable('MESSAGE_UNREADABLE', `key column ${column.name}: ${what}`);
  }
}
