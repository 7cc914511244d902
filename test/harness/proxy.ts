import { createServer, connect, type Server, type Socket } from 'node:net';
import { freePort } from '../../demo/servers/free-port.ts';
import { Wire } from './wire.ts';

export type Address = { readonly host: string; readonly port: number };

/** A network that can be broken on purpose, between a client and `target`. */
export interface Proxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Number of client connections that are open now. */
  readonly connections: number;
  /** The same connection string, but by way of this proxy. */
  through(connectionString: string): string;
  /** Resets (TCP RST) all open connections, on both sides. New ones are accepted. */
  cut(): void;
  /** Nothing is forwarded any more and no socket is closed: a peer that is gone without a word. */
  halfOpen(on: boolean): void;
  /** Holds back every byte for so long, in both directions. */
  delay(ms: number): void;
  /** New connections get ECONNREFUSED; open ones go on. */
  refuse(on: boolean): Promise<void>;
  /** New connections go to another server, as after a change of DNS. */
  redirect(target: Address): void;
  /** Resets what is open and stops listening. */
  close(): Promise<void>;
}

/** Starts a TCP proxy on a loopback port of its own. */
export async function startProxy(target: Address): Promise<Proxy> {
  const proxy = new TcpProxy(target, await freePort());
  await proxy.refuse(false);
  return proxy;
}

class TcpProxy implements Proxy {
  readonly host = '127.0.0.1';
  readonly port: number;
  #target: Address;
  readonly #wires = new Set<Wire>();
  #server: Server | undefined;
  #isHalfOpen = false;
  #delayMs = 0;

  constructor(target: Address, port: number) {
    this.#target = target;
    this.port = port;
  }

  get connections(): number {
    return this.#wires.size;
  }

  through(connectionString: string): string {
    const url = new URL(connectionString);
    url.hostname = this.host;
    url.port = String(this.port);
    return url.href;
  }

  cut(): void {
    for (const wire of this.#wires) wire.reset();
  }

  halfOpen(on: boolean): void {
    this.#isHalfOpen = on;
    for (const wire of this.#wires) wire.hold(on);
  }

  delay(ms: number): void {
    this.#delayMs = ms;
    for (const wire of this.#wires) wire.delayMs = ms;
  }

  async refuse(on: boolean): Promise<void> {
    if (on) {
      this.#server?.close(); // stops listening at once; open connections are not touched
      this.#server = undefined;
    } else {
      this.#server ??= await this.#listen();
    }
  }

  redirect(target: Address): void {
    this.#target = target;
  }

  async close(): Promise<void> {
    await this.refuse(true);
    this.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #listen(): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
      server.once('error', reject);
      server.listen({ port: this.port, host: this.host }, () => resolve(server));
    });
  }

  #join(client: Socket): void {
    const { host, port } = this.#target;
    const upstream = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const wire = new Wire(client, upstream);
    this.#wires.add(wire);
    wire.delayMs = this.#delayMs;
    wire.hold(this.#isHalfOpen);
    void wire.closed.then(() => this.#wires.delete(wire));
  }
}
