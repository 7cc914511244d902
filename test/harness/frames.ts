/** What a client says first has no type byte; these codes stand where the protocol version would. */
const NEGOTIATIONS: ReadonlySet<number> = new Set([80_877_103, 80_877_104]);

/** One message of the PostgreSQL protocol; `type` is empty for those before the login. */
export type Frame = { readonly type: string; readonly bytes: Buffer };

/** Cuts what arrives into whole messages. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #hasTypes: boolean;

  /** @param from who speaks: a client begins with messages without a type */
  constructor(from: 'client' | 'server') {
    this.#hasTypes = from === 'server';
  }

  get isPastLogin(): boolean {
    return this.#hasTypes;
  }

  take(arrived: Buffer): Frame[] {
    this.#rest = Buffer.concat([this.#rest, arrived]);
    const frames: Frame[] = [];
    for (;;) {
      const head = this.#hasTypes ? 1 : 0;
      if (this.#rest.length < head + 4) return frames;
      const length = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < length) return frames;
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      frames.push({ type: head === 1 ? bytes.toString('latin1', 0, 1) : '', bytes });
      if (!this.#hasTypes) this.#hasTypes = !NEGOTIATIONS.has(bytes.readInt32BE(4));
    }
  }
}

/** Which statement a client's message is about, as far as it is about one. */
export class StatementReader {
  readonly #prepared = new Map<string, string>();

  /**
   * The SQL of a query, or of the prepared statement that is run; `status 0/1A2B` for the position
   * that a reader of a slot confirms; null for everything else.
   */
  read({ type, bytes }: Frame): string | null {
    if (type === 'Q') return textAt(bytes, 5).text;
    if (type === 'P') {
      const name = textAt(bytes, 5);
      this.#prepared.set(name.text, textAt(bytes, name.end).text);
    } else if (type === 'B') {
      const portal = textAt(bytes, 5);
      return this.#prepared.get(textAt(bytes, portal.end).text) ?? null;
    } else if (type === 'd' && bytes.toString('latin1', 5, 6) === 'r') {
      const hex = (offset: number) => bytes.readUInt32BE(offset).toString(16).toUpperCase();
      return `status ${hex(6)}/${hex(10)}`;
    }
    return null;
  }
}

function textAt(bytes: Buffer, start: number): { readonly text: string; readonly end: number } {
  const zero = bytes.indexOf(0, start);
  return { text: bytes.toString('utf8', start, zero), end: zero + 1 };
}
