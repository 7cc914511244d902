/** A type that is no domain. */
export type BaseType = {
  readonly oid: number;
  /** As `format_type` prints it, modifier included. */
  readonly name: string;
  /** Of an array's elements; 0 for what is no array. */
  readonly elementOid: number;
};

/** Objects below this OID come with every server; the target has them too. */
export const FIRST_USER_OID = 16_384;

/**
 * Built in, but the text form depends on what a database contains (`regclass` and its kin) or on a
 * setting of the server (`money`): cast on another server it would fail or change.
 */
const LOCAL_FORM = /^(reg[a-z]+|money)(\[\])?$/;

/**
 * The type of the mirror's column: the source's own where every server has it, text for enums and
 * others that somebody made. Domains are resolved before.
 */
export function mirrorType(base: BaseType): string {
  const isArray = base.elementOid !== 0;
  const isLocal = LOCAL_FORM.test(base.name);
  const decidingOid = isArray ? Math.max(base.elementOid, base.oid) : base.oid;
  if (decidingOid < FIRST_USER_OID && !isLocal) return base.name;
  return isArray ? 'text[]' : 'text';
}
