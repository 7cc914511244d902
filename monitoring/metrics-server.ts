import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TandemError } from '../core/errors.ts';

type Page = { readonly status: number; readonly type: string; readonly body: string };
export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;
type Listening = { readonly port: number; readonly close: () => Promise<void> };

/** An answer that programs read, and people too. */
export function jsonPage(status: number, content: object): Page {
  return { status, type: 'application/json', body: `${JSON.stringify(content)}\n` };
}

/**
 * Serves pages over HTTP until it is closed.
 *
 * @param address port 0: any that is free
 * @throws TandemError `PORT_UNAVAILABLE`
 */
export async function servePages(
  pages: Pages,
  address: { readonly host: string; readonly port: number },
): Promise<Listening> {
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) {
      send(response, plain(404, `there are: ${Object.keys(pages).join(', ')}`));
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      send(response, plain(405, 'only GET'));
    } else {
      // What went wrong is not for whoever asks.
      Promise.resolve()
        .then(page)
        .catch(() => plain(500, 'failed'))
        .then(
          (found) => send(response, found),
          () => response.destroy(),
        );
    }
  });
  const { host } = address;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const details = { host, port: address.port, reason: error.code ?? error.name };
      reject(new TandemError('PORT_UNAVAILABLE', details, error));
    });
    server.listen(address.port, host, resolve);
  });
  // A client that is gone in the middle of a request is no matter of ours.
  server.on('error', () => undefined);
  const { port } = server.address() as AddressInfo;
  return { port, close: () => close(server) };
}

function close(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // A scraper keeps its connection open for the next time.
    server.closeAllConnections();
  });
}

const plain = (status: number, text: string): Page => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${text}\n`,
});

function send(response: ServerResponse, { status, type, body }: Page): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}
