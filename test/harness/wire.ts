import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** One connection through the proxy: bytes go both ways, unless told otherwise. */
export class Wire {
  /** For bytes that arrive from now on. */
  delayMs = 0;
  /** Fulfilled when both sockets are closed. */
  readonly closed: Promise<unknown>;
  readonly #sockets: readonly [Socket, Socket];
  #released: Promise<void> = Promise.resolve();
  #release: () => void = () => undefined;

  constructor(client: Socket, server: Socket) {
    this.#sockets = [client, server];
    for (const socket of this.#sockets) {
      socket.on('error', () => this.reset());
      socket.setNoDelay(true);
    }
    this.closed = Promise.all(this.#sockets.map((socket) => once(socket, 'close').catch(ignore)));
    this.#forward(client, server);
    this.#forward(server, client);
  }

  reset(): void {
    this.#release();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** While held, what arrives stays in the proxy, as if the cable were out. */
  hold(on: boolean): void {
    this.#release();
    if (on) this.#released = new Promise((resolve) => (this.#release = resolve));
    else this.#release = ignore;
    for (const socket of this.#sockets) {
      if (on) socket.pause();
      else socket.resume();
    }
  }

  /** In the order of arrival: each piece waits for the one before it. */
  #forward(from: Socket, to: Socket): void {
    let queue = Promise.resolve();
    const send = (write: () => void) => {
      const due = Date.now() + this.delayMs;
      queue = queue.then(async () => {
        if (due > Date.now()) await pause(due - Date.now());
        await this.#released;
        if (!to.destroyed) write();
      });
    };
    from.on('data', (bytes) => send(() => void to.write(bytes)));
    from.on('end', () => send(() => to.end()));
  }
}

const ignore = (): void => undefined;
