import { TandemError, type ErrorCode } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { configErrors, withoutSecrets, type ConnectorConfig } from './connector-secrets.ts';
import { statusOf, type ConnectorStatus } from './connector-status.ts';
import { loginHeader, type HttpPlace } from './http-place.ts';

type ConnectRestOptions = {
  readonly place: HttpPlace;
  readonly clock: Clock;
  /** How long one request may take; default 15 seconds. */
  readonly requestMs?: number;
  /** How long a rebalance of the workers is waited out; default 30 seconds. */
  readonly patienceMs?: number;
};

/**
 * Kafka Connect's REST interface. While the workers share out their work anew it answers 409: that
 * is tried again.
 *
 * @throws TandemError of every method: `CONNECT_UNREACHABLE`, `CONNECT_REFUSED`
 */
export class ConnectRest {
  readonly #options: ConnectRestOptions;

  constructor(options: ConnectRestOptions) {
    this.#options = options;
  }

  /** The URL, for messages. */
  get url(): string {
    return this.#options.place.url;
  }

  /**
   * Lets the plugin look at a configuration; Debezium also connects to the database.
   *
   * @throws TandemError `CONNECTOR_INVALID` naming each wrong setting, without its value
   */
  async validate(name: string, config: ConnectorConfig): Promise<void> {
    const plugin = config['connector.class'] ?? '';
    const path = `/connector-plugins/${encodeURIComponent(plugin)}/config/validate`;
    const { status, body } = await this.#request('PUT', path, { name, ...config });
    const problems = status === 200 ? configErrors(body) : [messageOf(body)];
    if (problems.length === 0) return;
    const problem = withoutSecrets(problems.join('; '), config);
    throw new TandemError('CONNECTOR_INVALID', { url: this.url, problem });
  }

  /** Makes the connector, or gives it another configuration. */
  async put(name: string, config: ConnectorConfig): Promise<void> {
    const { status, body } = await this.#request('PUT', `${pathOf(name)}/config`, config);
    if (status === 200 || status === 201) return;
    const reason = withoutSecrets(messageOf(body), config);
    const code = status === 400 ? 'CONNECTOR_INVALID' : 'CONNECT_REFUSED';
    throw new TandemError(code, { url: this.url, problem: reason });
  }

  /** As Connect has stored it, passwords included; null where there is no such connector. */
  async config(name: string): Promise<ConnectorConfig | null> {
    const found = await this.#orNull('GET', `${pathOf(name)}/config`);
    if (found === null || typeof found !== 'object') return null;
    const texts = Object.entries(found).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return Object.fromEntries(texts);
  }

  /** Null where there is no such connector, or it has just been made. */
  async status(name: string): Promise<ConnectorStatus | null> {
    return statusOf(await this.#orNull('GET', `${pathOf(name)}/status`));
  }

  /** Connector and tasks; with `onlyFailed`, those of them that have failed. */
  async restart(name: string, onlyFailed = false): Promise<void> {
    const query = `includeTasks=true&onlyFailed=${onlyFailed}`;
    await this.#must(name, 'POST', `${pathOf(name)}/restart?${query}`);
  }

  /** Its task stays where it is and reads nothing: the connection to the slot remains. */
  async pause(name: string): Promise<void> {
    await this.#must(name, 'PUT', `${pathOf(name)}/pause`);
  }

  async resume(name: string): Promise<void> {
    await this.#must(name, 'PUT', `${pathOf(name)}/resume`);
  }

  /** Ends its tasks and with them the connection to the slot; the configuration stays. */
  async stop(name: string): Promise<void> {
    await this.#must(name, 'PUT', `${pathOf(name)}/stop`);
  }

  /** Lets Connect forget how far the connector has come. It must have been stopped. */
  async deleteOffsets(name: string): Promise<void> {
    await this.#must(name, 'DELETE', `${pathOf(name)}/offsets`);
  }

  async delete(name: string): Promise<void> {
    await this.#must(name, 'DELETE', pathOf(name));
  }

  async #orNull(method: string, path: string): Promise<unknown> {
    const { status, body } = await this.#request(method, path);
    if (status === 404) return null;
    if (status >= 300) throw this.#refused(status, body);
    return body;
  }

  async #must(connector: string, method: string, path: string): Promise<void> {
    const { status, body } = await this.#request(method, path);
    if (status === 404) throw new TandemError('CONNECTOR_MISSING', { connector, url: this.url });
    if (status >= 300) throw this.#refused(status, body);
  }

  #refused(status: number, body: unknown): TandemError {
    return this.#error('CONNECT_REFUSED', `${status}: ${messageOf(body)}`);
  }

  #error(code: ErrorCode, reason: string, cause?: unknown): TandemError {
    return new TandemError(code, { url: this.url, reason }, cause);
  }

  /** Waits out a rebalance, and nothing else. */
  async #request(method: string, path: string, body?: object): Promise<Answer> {
    const { clock, patienceMs = 30_000 } = this.#options;
    const deadline = clock.now() + patienceMs;
    for (;;) {
      const answer = await this.#once(method, path, body);
      if (answer.status !== 409) return answer;
      if (clock.now() > deadline) throw this.#error('CONNECT_UNREACHABLE', messageOf(answer.body));
      await clock.sleep(250);
    }
  }

  async #once(method: string, path: string, body?: object): Promise<Answer> {
    const { place, requestMs = 15_000 } = this.#options;
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...loginHeader(place.login),
    };
    const request: RequestInit = { method, headers, signal: AbortSignal.timeout(requestMs) };
    if (body !== undefined) request.body = JSON.stringify(body);
    try {
      const response = await fetch(`${place.url}${path}`, request);
      return { status: response.status, body: parsed(await response.text()) };
    } catch (error) {
      throw this.#error('CONNECT_UNREACHABLE', reasonOf(error), error);
    }
  }
}

type Answer = { readonly status: number; readonly body: unknown };

const pathOf = (connector: string) => `/connectors/${encodeURIComponent(connector)}`;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy's page: its first line says enough.
    return { message: text.slice(0, 200) };
  }
}

/** First line, without the names of Java's packages. */
function messageOf(body: unknown): string {
  const message =
    typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : '';
  const [line = ''] = message.split('\n');
  return line.replace(/^(?:[\w$]+\.)+(\w+): /, '').slice(0, 300);
}

/** What is behind fetch's "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : null;
  return error.name === 'TimeoutError' ? 'no answer in time' : (code ?? error.message);
}
