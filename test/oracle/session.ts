import pg from 'pg';

/** A row as the server prints it: the text form of every value, by column. */
export type TextRow = Record<string, string | null>;

/** Text forms depend on these; both servers have to print alike. */
const PRINT_ALIKE = `
  set timezone = 'UTC';
  set datestyle = 'ISO, YMD';
  set intervalstyle = 'postgres';
  set bytea_output = 'hex';
  set extra_float_digits = 3;
  set client_encoding = 'UTF8'`;

const asText = (value: string | Buffer): string => value.toString();

/** A connection whose values arrive as the text that the server sent. */
export class Session implements AsyncDisposable {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  /** Runs `prepare` before anything else: temporary functions cannot be made later on. */
  static async open(connectionString: string, prepare = ''): Promise<Session> {
    const client = new pg.Client({
      connectionString,
      application_name: 'tandem oracle',
      types: { getTypeParser: () => asText },
    });
    await client.connect();
    const session = new Session(client);
    try {
      await client.query(`${PRINT_ALIKE}; ${prepare}`);
    } catch (cause) {
      await client.end();
      throw cause;
    }
    return session;
  }

  /** One state of the database for all that follows, and no way to change it. */
  async freeze(): Promise<void> {
    await this.#client.query('begin isolation level repeatable read read only');
  }

  async rows(sql: string, params: readonly unknown[] = []): Promise<TextRow[]> {
    const { rows } = await this.#client.query<TextRow>(sql, [...params]);
    return rows;
  }

  /** What a query would yield, without running it. */
  async columnNames(sql: string): Promise<string[]> {
    const { fields } = await this.#client.query(`select * from (${sql}) described limit 0`);
    return fields.map(({ name }) => name);
  }

  /** The values alone, for large tables. */
  async arrays(sql: string, params: readonly unknown[] = []): Promise<(string | null)[][]> {
    const { rows } = await this.#client.query<(string | null)[]>({
      text: sql,
      values: [...params],
      rowMode: 'array',
    });
    return rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}

export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
