import { createServer, connect, type Server, type Socket } from 'node:net';
import { freePort } from '../../demo/servers/free-port.ts';
import { FrameReader, StatementReader, type Frame } from './frames.ts';
import type { Address } from './proxy.ts';

/** A place in the life of a connection. */
export type Stop = {
  /** The statement, as the server is to read it. */
  readonly at: RegExp | ((sql: string) => boolean);
  /** Only on a connection that has sent this one before, since the stop was set. */
  readonly behind?: RegExp;
  /** Before the server gets it, or when it has answered and the client does not know it yet. */
  readonly when: 'before' | 'after';
};

/** A connection that has come to its stop: nothing goes on there, in either direction. */
type Stopped = {
  release(): void;
  /** Ends it without a word of good-bye, as a network does. */
  cut(): void;
};

/**
 * A network that knows the protocol: it can hold a connection exactly before or behind a statement,
 * so that a test can kill the client, or cut the wire, at a step of the engine's.
 */
export class StatementProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #port: number;
  readonly #lines = new Set<Line>();
  #set: { readonly stop: Stop; readonly reached: (stopped: Stopped) => void } | null = null;

  private constructor(target: Address, port: number) {
    this.#port = port;
    this.#server = createServer((client) => {
      const line = new Line(client, connect({ ...target, noDelay: true }), (it, sql) =>
        this.#isAt(it, sql),
      );
      this.#lines.add(line);
      client.on('close', () => this.#lines.delete(line));
    });
  }

  static async start(connectionString: string): Promise<StatementProxy> {
    const { hostname, port } = new URL(connectionString);
    const proxy = new StatementProxy({ host: hostname, port: Number(port) }, await freePort());
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(proxy.#port, '127.0.0.1', resolve);
    });
    return proxy;
  }

  through(connectionString: string): string {
    const url = new URL(connectionString);
    url.hostname = '127.0.0.1';
    url.port = String(this.#port);
    return url.href;
  }

  /** Sets the one stop; fulfilled when a connection has come there. */
  stopAt(stop: Stop): Promise<Stopped> {
    for (const line of this.#lines) line.hasPassed = false;
    return new Promise((reached) => (this.#set = { stop, reached }));
  }

  #isAt(line: Line, sql: string): Stop['when'] | null {
    if (this.#set === null) return null;
    const { stop, reached } = this.#set;
    if (stop.behind?.test(sql) === true) line.hasPassed = true;
    if (stop.behind !== undefined && !line.hasPassed) return null;
    if (stop.at instanceof RegExp ? !stop.at.test(sql) : !stop.at(sql)) return null;
    this.#set = null;
    line.onHeld = () => reached({ release: () => line.release(), cut: () => line.cut() });
    return stop.when;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const line of this.#lines) line.cut();
  }
}

type IsAt = (line: Line, sql: string) => Stop['when'] | null;

/** One connection. Statements may be under way one behind the other. */
class Line {
  hasPassed = false;
  onHeld: () => void = () => undefined;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #fromClient = new FrameReader('client');
  readonly #fromServer = new FrameReader('server');
  readonly #statements = new StatementReader();
  readonly #isAt: IsAt;
  #isHeld = false;
  /** Statements that were sent, and those that were answered; the login is one that nobody sent. */
  #asked = 0;
  #answered = -1;
  /** The number of the statement whose answer is held, with all that would follow it. */
  #last = Infinity;
  #toServer: Frame[] = [];
  #toClient: Buffer[] = [];

  constructor(client: Socket, server: Socket, isAt: IsAt) {
    this.#client = client;
    this.#server = server;
    this.#isAt = isAt;
    client.setNoDelay(true);
    client.on('data', (bytes) => {
      for (const frame of this.#fromClient.take(bytes)) this.#ask(frame);
    });
    server.on('data', (bytes) => {
      // The answer to a question about TLS is one byte, and no message.
      if (!this.#fromClient.isPastLogin) client.write(bytes);
      else for (const frame of this.#fromServer.take(bytes)) this.#answer(frame);
    });
    // Whoever goes away takes the other end along; what was held is lost with it.
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  }

  #ask(frame: Frame): void {
    const sql = this.#statements.read(frame);
    const isOpen = !this.#isHeld && this.#last === Infinity;
    const when = sql === null || !isOpen ? null : this.#isAt(this, sql);
    if (when === 'before') this.#hold();
    if (when === 'after') this.#last = this.#asked;
    if (this.#isHeld || this.#asked > this.#last) this.#toServer.push(frame);
    else this.#send(frame);
    // The confirmation of a position is not answered.
    if (when === 'after' && frame.type === 'd') this.#hold();
  }

  #send(frame: Frame): void {
    if (frame.type === 'Q' || frame.type === 'S') this.#asked++;
    this.#server.write(frame.bytes);
  }

  #answer({ type, bytes }: Frame): void {
    const isLast = this.#answered >= this.#last;
    if (this.#isHeld || isLast) this.#toClient.push(bytes);
    else this.#client.write(bytes);
    if (type === 'Z') this.#answered++;
    // Done, or ready for the rows of a COPY.
    if (isLast && !this.#isHeld && (type === 'Z' || type === 'G')) this.#hold();
  }

  #hold(): void {
    this.#isHeld = true;
    this.onHeld();
  }

  release(): void {
    this.#isHeld = false;
    this.#last = Infinity;
    for (const frame of this.#toServer.splice(0)) this.#send(frame);
    for (const bytes of this.#toClient.splice(0)) this.#client.write(bytes);
  }

  cut(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }
}
