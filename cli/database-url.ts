import { userInfo } from 'node:os';
import { didYouMean } from './similar.ts';
import { TLS_MODES, type TlsMode } from './tls.ts';

/** Where a database is and who logs in, before files are read and TLS is settled. */
export type DatabaseAddress = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | null;
  readonly sslmode: TlsMode | null;
  /** A file, or `system`: the authorities that Node brings. */
  readonly sslrootcert: string | null;
  readonly sslcert: string | null;
  readonly sslkey: string | null;
  readonly options: string | null;
  readonly connectTimeoutSeconds: number | null;
};

/** A reason why a text is not what it should be. It never quotes the text: that may be a secret. */
export class Malformed extends Error {}

const EXAMPLE = 'postgresql://user:password@host:5432/database';
const USED = [
  ...['host', 'port', 'dbname', 'user', 'password', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'],
  ...['options', 'connect_timeout', 'ssl'],
] as const;
/** Known to libpq or to poolers, and without a meaning here. `pgbouncer` is looked at by `check`. */
const IGNORED = new Set([
  ...['application_name', 'fallback_application_name', 'gssencmode', 'channel_binding'],
  ...['target_session_attrs', 'keepalives', 'keepalives_idle', 'keepalives_interval'],
  ...['keepalives_count', 'tcp_user_timeout', 'uselibpqcompat', 'sslsni', 'krbsrvname'],
  ...['client_encoding', 'pgbouncer', 'connection_limit', 'pool_timeout', 'schema'],
  ...['ssl_min_protocol_version', 'sslcompression', 'replication', 'require_auth'],
]);

/** Parses a connection URL as libpq does. Throws `Malformed`. */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const scheme = /^(\w[\w+.-]*):\/\//.exec(text)?.[1];
  if (scheme === undefined) throw new Malformed('is not a connection URL');
  if (scheme !== 'postgresql' && scheme !== 'postgres') {
    throw new Malformed('does not begin with postgresql://');
  }
  const rest = text.slice(scheme.length + 3);
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? '';
  const tail = rest.slice(authority.length);
  if (tail.includes('@') || tail.includes('#')) {
    throw new Malformed(
      'has an @ or # in a wrong place: percent-encode special characters of the password (@ is %40, # is %23, / is %2F, ? is %3F)',
    );
  }
  const at = authority.lastIndexOf('@');
  const login = at === -1 ? '' : authority.slice(0, at);
  const colon = login.indexOf(':');
  const { host, port } = parsePlace(authority.slice(at + 1));
  const [path = '', query = ''] = tail.split('?', 2);
  const parameters = parseParameters(query);

  const user =
    parameters.get('user') ?? (decode(colon === -1 ? login : login.slice(0, colon)) || osUser());
  const password = colon === -1 ? null : decode(login.slice(colon + 1));
  return {
    host: parameters.get('host') ?? (host === '' ? 'localhost' : host),
    port: parsePort(parameters.get('port') ?? port),
    database: parameters.get('dbname') ?? (decode(path.replace(/^\//, '')) || user),
    user,
    password: parameters.get('password') ?? password,
    sslmode: parseTlsMode(parameters),
    sslrootcert: parameters.get('sslrootcert') ?? null,
    sslcert: parameters.get('sslcert') ?? null,
    sslkey: parameters.get('sslkey') ?? null,
    options: parameters.get('options') ?? null,
    connectTimeoutSeconds: parseTimeout(parameters.get('connect_timeout')),
  };
}

function parsePlace(text: string): { readonly host: string; readonly port: string } {
  if (text.includes(',')) throw new Malformed('names several hosts; name the primary server alone');
  const match = /^(\[[0-9a-f:.%]+\]|[^:[\]]*)(?::(\d*))?$/i.exec(text);
  if (match === null) {
    throw new Malformed(
      'has no readable host and port: percent-encode special characters of the password (@ is %40, : is %3A, / is %2F)',
    );
  }
  return { host: decode((match[1] ?? '').replace(/^\[|\]$/g, '')), port: match[2] ?? '' };
}

function parsePort(text: string): number {
  const port = text === '' ? 5432 : Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new Malformed('has a port that is not a number from 1 to 65535');
}

function parseTimeout(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\d+$/.test(text)) return Number(text);
  throw new Malformed('has a connect_timeout that is not a number of seconds');
}

function parseParameters(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((pair) => pair !== '')) {
    const equals = pair.indexOf('=');
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    if (IGNORED.has(name)) continue;
    if (!(USED as readonly string[]).includes(name)) {
      const meant = didYouMean(name, USED);
      const hint = meant === null ? '' : `; did you mean ${meant}?`;
      const shown = /^\w{1,40}$/.test(name) ? ` ${name}` : '';
      throw new Malformed(`has an unknown parameter${shown}${hint}`);
    }
    parameters.set(name, decode(equals === -1 ? '' : pair.slice(equals + 1)));
  }
  return parameters;
}

function parseTlsMode(parameters: ReadonlyMap<string, string>): TlsMode | null {
  const mode = parameters.get('sslmode');
  if (mode !== undefined) {
    const known = readTlsMode(mode);
    if (known === null) throw new Malformed(`has an unknown sslmode; use ${TLS_MODES.join(', ')}`);
    return known;
  }
  // JDBC's and Heroku's way of saying it.
  if (parameters.get('ssl') === 'true') return 'require';
  return parameters.has('sslrootcert') ? 'verify-full' : null;
}

/** A mode by libpq's name. */
export function readTlsMode(text: string): TlsMode | null {
  if (text === 'allow') return 'prefer';
  return TLS_MODES.find((mode) => mode === text) ?? null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Malformed('has a % that is not followed by two hex digits: write a % as %25');
  }
}

function osUser(): string {
  return userInfo().username;
}

/** The same URL without what is secret in it. A text that cannot be read is hidden as a whole. */
export function hidePassword(url: string): string {
  try {
    parseDatabaseUrl(url);
  } catch {
    return '***';
  }
  const scheme = url.indexOf('://') + 3;
  const end = url.slice(scheme).search(/[/?]/);
  const at = url.slice(0, end === -1 ? undefined : scheme + end).lastIndexOf('@');
  const colon = url.indexOf(':', scheme);
  const shown = at > colon && colon !== -1 ? `${url.slice(0, colon + 1)}***${url.slice(at)}` : url;
  return shown.replace(/([?&](?:password|sslpassword)=)[^&]*/gi, '$1***');
}

export const URL_EXAMPLE = EXAMPLE;
