import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

/** libpq's names and meanings. `allow` is read as `prefer`, which only tries TLS first. */
export const TLS_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

type TlsFiles = {
  /** PEM of the authorities to trust; null: those that Node brings. */
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
};

/**
 * What the driver needs for a mode. node-postgres verifies the certificate as soon as TLS is on;
 * in libpq `require` only encrypts, unless a CA file is given, and then it is `verify-ca`.
 */
export function tlsOptions(mode: TlsMode, files: TlsFiles): false | ConnectionOptions {
  const common: ConnectionOptions = {};
  if (files.ca !== null) common.ca = files.ca;
  if (files.certificate !== null) common.cert = files.certificate;
  if (files.key !== null) common.key = files.key;
  switch (mode) {
    case 'disable':
      return false;
    case 'prefer':
      return { ...common, rejectUnauthorized: false };
    case 'require':
      return files.ca === null
        ? { ...common, rejectUnauthorized: false }
        : tlsOptions('verify-ca', files);
    case 'verify-ca':
      return { ...common, rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case 'verify-full':
      return { ...common, rejectUnauthorized: true };
  }
}

/** PostgreSQL's SSLRequest: Int32 length 8, Int32 code 80877103. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/**
 * Asks a server whether it speaks TLS, for `prefer`, which the driver does not have. False where it
 * cannot be reached: then the connection itself will say why.
 */
export function offersTls(
  place: { readonly host: string; readonly port: number },
  timeoutMs = 5000,
) {
  if (place.host.startsWith('/')) return Promise.resolve(false);
  return new Promise<boolean>((resolve) => {
    const socket = connect({ host: place.host, port: place.port });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.once('connect', () => socket.write(SSL_REQUEST));
    socket.once('data', (bytes) => finish(bytes[0] === 'S'.charCodeAt(0)));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
  });
}
