import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A schema registry in this process: ids in the order of arrival, the same schema has the same id. */
export class SmallRegistry implements AsyncDisposable {
  readonly url: string;
  /** Requests that arrived: `GET /schemas/ids/1`. */
  readonly requests: string[] = [];
  /** `Authorization` headers that came with them. */
  readonly authorizations: (string | undefined)[] = [];
  /** Answers instead of its own, where set. */
  answer: ((response: ServerResponse) => void) | null = null;
  readonly #schemas: string[] = [];
  readonly #server: ReturnType<typeof createServer>;

  static async start(): Promise<SmallRegistry> {
    const holder: { registry?: SmallRegistry } = {};
    const server = createServer((request, response) => {
      void holder.registry?.handle(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    holder.registry = new SmallRegistry(server);
    return holder.registry;
  }

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  add(id: number, schema: unknown): void {
    this.#schemas[id] = JSON.stringify(schema);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    this.authorizations.push(request.headers.authorization);
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (this.answer !== null) {
      this.answer(response);
      return;
    }
    const [, id] = /^\/schemas\/ids\/(\d+)$/.exec(request.url ?? '') ?? [];
    response.setHeader('Content-Type', 'application/vnd.schemaregistry.v1+json');
    if (id !== undefined) {
      const schema = this.#schemas[Number(id)];
      if (schema === undefined) {
        response.statusCode = 404;
        response.end(JSON.stringify({ error_code: 40403, message: 'Schema not found' }));
      } else response.end(JSON.stringify({ schema }));
      return;
    }
    const { schema } = JSON.parse(body) as { schema: string };
    let known = this.#schemas.indexOf(schema);
    if (known === -1) known = Math.max(1, this.#schemas.length);
    this.#schemas[known] = schema;
    response.end(JSON.stringify({ id: known }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
