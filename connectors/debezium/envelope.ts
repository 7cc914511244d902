import type { Lsn } from '../../core/version.ts';
import { WrongForm } from './value.ts';

/** The part of a row message that counts, whatever it was written in. Nothing in it is checked. */
export type Envelope = {
  readonly op?: unknown;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly source?: unknown;
  readonly message?: unknown;
};

/** A row image: values by column. */
export type Fields = Readonly<Record<string, unknown>>;

/** Where the message says that its change stands. */
export type SourcePlace = {
  /** End of the last commit before its transaction; null for the first that a connector sees. */
  readonly before: Lsn | null;
  readonly lsn: Lsn;
  /** Microseconds since the epoch; milliseconds times 1000 where the connector is an old one. */
  readonly committedAtMicros: number | null;
};

export function fieldsOf(image: unknown, what: string): Fields {
  if (image === null || typeof image !== 'object') throw new WrongForm(what, image);
  return image as Fields;
}

/** Reads `source`. An object, because neighbours in a topic share their transaction. */
export class PlaceReader {
  #beforeText = '';
  #before: Lsn = 0n as Lsn;

  read(source: unknown): SourcePlace {
    const { sequence, ts_us: micros, ts_ms: millis } = fieldsOf(source, 'source with a position');
    if (typeof sequence !== 'string') throw new WrongForm('source.sequence', sequence);
    const comma = sequence.indexOf(',');
    const lsnStart = sequence.indexOf('"', comma + 1) + 1;
    const lsnText = sequence.slice(lsnStart, sequence.length - 2);
    if (comma < 0 || lsnStart === 0 || !sequence.endsWith('"]') || !DIGITS.test(lsnText)) {
      throw new WrongForm('source.sequence of two positions', sequence);
    }
    return {
      before: sequence.startsWith('[null,') ? null : this.#readBefore(sequence.slice(2, comma - 1)),
      lsn: BigInt(lsnText) as Lsn,
      committedAtMicros: microsOf(micros) ?? millisToMicros(microsOf(millis)),
    };
  }

  #readBefore(text: string): Lsn {
    if (text !== this.#beforeText) {
      if (!DIGITS.test(text)) throw new WrongForm('source.sequence of two positions', text);
      this.#before = BigInt(text) as Lsn;
      this.#beforeText = text;
    }
    return this.#before;
  }
}

const DIGITS = /^\d{1,20}$/;

function microsOf(value: unknown): number | null {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' ? value : null;
}

function millisToMicros(millis: number | null): number | null {
  return millis === null ? null : millis * 1000;
}
