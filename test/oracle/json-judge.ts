import type { Session } from './session.ts';

/** Mapping 3.14: what becomes of a text that is meant to be JSON. */
const LEGACY_JSON = `
  case
    when btrim(given, E' \\t\\n\\r') = '' then null
    when not pg_input_is_valid(given, 'jsonb') then to_jsonb(given)
    when jsonb_typeof(given::jsonb) <> 'null' then given::jsonb
  end`;

/** Texts in one question. */
const PORTION = 5_000;

/**
 * Asks a server (PostgreSQL 16 or newer) what JSON is, and prints it as that server does.
 *
 * The session must not be in a transaction: a text nested so deep that the server gives up is an
 * error there instead of an answer. It counts as refused.
 */
export class JsonJudge {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Legacy texts and what has to be stored for each. */
  async legacyJson(texts: ReadonlySet<string>): Promise<Map<string, string | null>> {
    return this.#each([...texts], LEGACY_JSON, 'to_jsonb(given)');
  }

  /** Texts that are JSON, in the server's form. */
  async printed(texts: ReadonlySet<string>): Promise<Map<string, string | null>> {
    return this.#each([...texts], 'given::jsonb', 'given::jsonb');
  }

  async #each(
    texts: readonly string[],
    rule: string,
    otherwise: string,
  ): Promise<Map<string, string | null>> {
    if (texts.length > PORTION) return this.#halves(texts, rule, otherwise);
    try {
      const answers = await this.#ask(texts, rule);
      return new Map(texts.map((text, i) => [text, answers[i] ?? null]));
    } catch (cause) {
      if (texts.length > 1) return this.#halves(texts, rule, otherwise);
      if (rule === otherwise) throw cause;
      return this.#each(texts, otherwise, otherwise);
    }
  }

  async #halves(
    texts: readonly string[],
    rule: string,
    otherwise: string,
  ): Promise<Map<string, string | null>> {
    const middle = Math.ceil(texts.length / 2);
    const first = await this.#each(texts.slice(0, middle), rule, otherwise);
    const second = await this.#each(texts.slice(middle), rule, otherwise);
    return new Map([...first, ...second]);
  }

  async #ask(texts: readonly string[], rule: string): Promise<(string | null)[]> {
    const rows = await this.#session.arrays(
      `select ${rule} from unnest($1::text[]) with ordinality as asked (given, place)
       order by place`,
      [texts],
    );
    return rows.map(([answer]) => answer ?? null);
  }
}
