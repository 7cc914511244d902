import { TandemError, type ErrorDetails } from '../../core/errors.ts';
import { loginHeader, type Login } from './http-place.ts';

type RegistryOptions = {
  /** Where `schemas/ids/1` is found: `http://host:8081`, Apicurio `http://host:8080/apis/ccompat/v7`. */
  readonly url: string;
  readonly login?: Login | null;
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 15_000;
/** A schema that is not there yet may still come, from another node of the registry. */
const MISSING_FOR_MS = 10_000;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

/** A schema registry with Confluent's interface. What it has said is kept: schemas do not change. */
export class SchemaRegistry {
  readonly #options: RegistryOptions;
  readonly #schemas = new Map<number, unknown>();
  readonly #missingUntil = new Map<number, number>();
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** What is known of a schema without asking: the schema, null if it is not there, else undefined. */
  known(id: number): unknown {
    const schema = this.#schemas.get(id);
    if (schema !== undefined) return schema;
    return this.#missingUntil.has(id) ? null : undefined;
  }

  /**
   * Fetches a schema, so that it is known afterwards. Requests for one schema are one.
   *
   * @throws TandemError `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED`
   */
  async fetch(id: number): Promise<void> {
    if (this.#schemas.has(id)) return;
    if ((this.#missingUntil.get(id) ?? 0) > performance.now()) return;
    await this.#joined(`fetch ${id}`, async () => {
      const answer = await this.#ask(`schemas/ids/${id}`);
      if (answer === null) {
        this.#missingUntil.set(id, performance.now() + MISSING_FOR_MS);
        return;
      }
      this.#missingUntil.delete(id);
      this.#schemas.set(id, parseSchema(answer));
    });
  }

  /**
   * Registers a schema under a subject and returns its id; one that is there already keeps its own.
   *
   * @throws TandemError `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED` (also where it is not compatible)
   */
  async register(subject: string, schema: unknown): Promise<number> {
    const text = JSON.stringify(schema);
    const id = await this.#joined(`register ${subject} ${text}`, async () => {
      const path = `subjects/${encodeURIComponent(subject)}/versions`;
      const answer = await this.#ask(path, JSON.stringify({ schema: text }), subject);
      return answer === null ? null : answer['id'];
    });
    if (typeof id !== 'number') throw refused({ subject, what: 'the answer has no id' });
    this.#schemas.set(id, schema);
    return id;
  }

  async #joined<T>(name: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name) as Promise<T> | undefined;
    if (running !== undefined) return running;
    const started = work().finally(() => this.#running.delete(name));
    this.#running.set(name, started);
    return started;
  }

  /** The answer as an object; null where the registry says that there is no such schema. */
  async #ask(path: string, body?: string, subject?: string): Promise<Answer | null> {
    const url = `${this.#options.url.replace(/\/+$/, '')}/${path}`;
    const about = subject === undefined ? { path } : { subject };
    const { login = null, timeoutMs = TIMEOUT_MS } = this.#options;
    let status: number;
    let text: string;
    try {
      const response = await fetch(url, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          Accept: `${MEDIA_TYPE}, application/json`,
          ...(body === undefined ? {} : { 'Content-Type': MEDIA_TYPE }),
          ...loginHeader(login),
        },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body }),
      });
      status = response.status;
      text = await response.text();
    } catch (error) {
      throw new TandemError('REGISTRY_UNREACHABLE', { ...about, reason: reasonOf(error) }, error);
    }
    if (status >= 500 || status === 429 || status === 408) {
      throw new TandemError('REGISTRY_UNREACHABLE', { ...about, status });
    }
    const answer = objectOf(text);
    const code = Number(answer?.['error_code'] ?? 0);
    // 404 without a code of the registry is another server, or another path.
    if (status === 404 && subject === undefined && code >= 404) return null;
    if (status !== 200) throw refused({ ...about, status, ...(code === 0 ? {} : { code }) });
    if (answer === null) throw refused({ ...about, what: 'the answer is no JSON object' });
    return answer;
  }
}

type Answer = Readonly<Record<string, unknown>>;

function parseSchema({ schema, schemaType }: Answer): unknown {
  if (schemaType !== undefined && schemaType !== 'AVRO') {
    throw refused({ what: 'a schema that is not Avro' });
  }
  const parsed = typeof schema === 'string' ? valueOf(schema) : undefined;
  if (parsed === undefined) throw refused({ what: 'the answer holds no schema' });
  return parsed;
}

function refused(details: ErrorDetails): TandemError {
  return new TandemError('REGISTRY_REFUSED', details);
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function objectOf(text: string): Answer | null {
  const value = valueOf(text);
  return value !== null && typeof value === 'object' ? (value as Answer) : null;
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return cause instanceof Error ? cause.name : 'unknown';
}
