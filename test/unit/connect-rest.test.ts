import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { systemClock } from '../../cli/clock.ts';
import { ConnectRest } from '../../connectors/debezium/connect-rest.ts';

// What a worker of Connect does seldom, or only behind a proxy; all else is tried with a real one.

type Answer = { readonly status: number; readonly body: string };

/** Answers one request after the other, the last answer again and again. */
async function answering(...answers: readonly Answer[]) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(request);
    response.writeHead(answer?.status ?? 500).end(answer?.body ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    asked,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const restOf = (url: string, patienceMs = 5_000) =>
  new ConnectRest({ place: { url, login: null }, clock: systemClock, patienceMs, requestMs: 500 });
const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });
const REBALANCE = json(409, {
  message: 'Cannot complete request because of a conflicting operation',
});

test('a rebalance of the workers is waited out, and named where it takes too long', async () => {
  using server = await answering(REBALANCE, REBALANCE, json(204, {}));
  await restOf(server.url).pause('x');
  expect(server.asked.map(({ method, url }) => `${method} ${url}`)).toEqual(
    Array(3).fill('PUT /connectors/x/pause'),
  );
  using busy = await answering(REBALANCE);
  await expect(restOf(busy.url, 0).pause('x')).rejects.toMatchObject({
    code: 'CONNECT_UNREACHABLE',
  });
});

test('a login goes with every request, and a refusal names status and reason', async () => {
  using server = await answering({ status: 401, body: '<html>Unauthorized</html>' });
  const login = { user: 'ann', password: 'p:w' };
  const rest = new ConnectRest({ place: { url: server.url, login }, clock: systemClock });
  await expect(rest.status('x')).rejects.toMatchObject({
    code: 'CONNECT_REFUSED',
    details: { url: server.url, reason: '401: <html>Unauthorized</html>' },
  });
  const sent = server.asked[0]?.headers.authorization ?? '';
  expect(Buffer.from(sent.replace('Basic ', ''), 'base64').toString()).toBe('ann:p:w');
});

test('a connector that is not there has a name of its own, whatever was asked', async () => {
  using server = await answering(json(404, { message: 'Unknown connector x' }));
  const rest = restOf(server.url);
  expect(await rest.config('x')).toBeNull();
  expect(await rest.status('x')).toBeNull();
  for (const ask of [
    () => rest.restart('x'),
    () => rest.stop('x'),
    () => rest.deleteOffsets('x'),
    () => rest.delete('x'),
  ]) {
    await expect(ask()).rejects.toMatchObject({ code: 'CONNECTOR_MISSING' });
  }
});

test('a class that the workers do not have is a wrong setting; a name is sent as it is', async () => {
  const message = 'org.apache.X.BadRequestException: Failed to find any class\nat somewhere';
  using server = await answering(json(500, { message }));
  const config = { 'connector.class': 'a.B', 'database.password': 'hunter22' };
  await expect(restOf(server.url).validate('x', config)).rejects.toMatchObject({
    code: 'CONNECTOR_INVALID',
    details: { url: server.url, problem: 'Failed to find any class' },
  });
  await restOf(server.url)
    .status('a/b c')
    .catch(() => undefined);
  expect(server.asked[1]?.url).toBe('/connectors/a%2Fb%20c/status');
});
