import type { KeyForm } from '../../core/uuid.ts';
import { uuidOf } from '../../core/uuid.ts';
import { ident, literal } from './sql.ts';

/**
 * The text that names a root, as `keyText` of core/mirror-table.ts writes it: the value of a single
 * key column, a JSON array of texts without blanks where there are several.
 *
 * `concat`, not a cast: it prints what the server sends (`t` for true, a `char(5)` with its blanks).
 */
export function keyTextSql(alias: string, key: readonly string[]): string {
  const texts = key.map((column) => `concat(${alias}.${ident(column)})`);
  if (texts.length === 1) return texts[0] ?? '';
  return `'[' || ${texts.map((text) => `to_json(${text})::text`).join(` || ',' || `)} || ']'`;
}

/**
 * The computed id of a root, as `uuidOf` of core/uuid.ts computes it; null where the bits cannot
 * hold the key. Integers without the call of `tandem.uuid_of`, which the server cannot inline and
 * which would cost on millions.
 */
export function idSql(
  identity: string,
  form: KeyForm,
  alias: string,
  key: readonly string[],
): string {
  const columns = key.map((column) => `${alias}.${ident(column)}`);
  switch (form) {
    case 0: {
      const prefix = uuidOf(identity, 0).replaceAll('-', '').slice(0, 16);
      const value = `${columns[0] ?? ''}::bigint`;
      const bits = `((${value} & 4611686018427387903) | (-9223372036854775808))`;
      return `case when ${value} between -2305843009213693952 and 4611686018427387903
        then (${literal(prefix)} || to_hex(${bits}))::uuid end`;
    }
    case 1: {
      const fits = columns.map((column) => `${column} between 0 and 2147483647`).join(' and ');
      const parts = columns.map((column) => `${column}::integer`).join(', ');
      return `case when ${fits} then tandem.uuid_of(${literal(identity)}, ${parts}) end`;
    }
    case 2:
      return `tandem.uuid_of(${literal(identity)}, ${keyTextSql(alias, key)})`;
  }
}
