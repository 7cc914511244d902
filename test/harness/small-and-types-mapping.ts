import { entity, type Mapping } from '../../core/entity.ts';
import { int4, text, type Columns } from '../../core/legacy-table.ts';
import { ref, row } from '../../core/outcome.ts';
import { legacyTable } from '../../core/shape.ts';
import { EVERY_TYPE, MORE_TYPES } from './every-type.ts';
import { SMALL_MAPPING } from './small-mapping.ts';

// The small mapping, and a table with a column of every type, whose text goes through unchanged.

/** `c0` and so on, in the order of `EVERY_TYPE`. */
export const TYPE_COLUMNS: readonly string[] = EVERY_TYPE.map((_, i) => `c${i}`);

const listed = (typeOf: (type: string) => string) =>
  EVERY_TYPE.map(({ type }, i) => `c${i} ${typeOf(type)}`).join(', ');

export const TYPES_OF_SOURCE = `${MORE_TYPES};
  create table every_type (id int primary key, ${listed((type) => type)})`;

/** Composites are text in the mirror, and so here. */
const typeOfTarget = (type: string) => (/^pair\b/.test(type) ? 'text' : type);
export const TYPES_OF_TARGET = `${MORE_TYPES};
  create table every_types (id uuid primary key, legacy_id int, ${listed(typeOfTarget)},
    deleted_at timestamptz)`;

const columns: Columns = {
  id: int4,
  ...Object.fromEntries(TYPE_COLUMNS.map((name) => [name, text.orNull])),
};
const everyType = legacyTable('every_type', 'id', columns);

const everyTypes = entity({
  name: 'every_type',
  target: 'every_types',
  from: everyType.select('id', ...TYPE_COLUMNS),
  map: ({ id, ...values }) =>
    row({ id: ref('every_type', Number(id)), legacy_id: Number(id), ...values }),
});

const mapping: Mapping = {
  ...SMALL_MAPPING,
  entities: [...SMALL_MAPPING.entities, everyTypes],
};
export default mapping;
