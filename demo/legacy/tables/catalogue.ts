import { ODD_JSON_TEXTS } from '../json-texts.ts';
import type { Row, RowSource } from '../load/row.ts';
import {
  CATEGORY_COUNT,
  COURSES,
  DELETED_PRODUCT_IDS,
  LIVE_PRODUCT_IDS,
  ROLE_COUNT,
} from '../reference-ids.ts';
import { at } from '../world/ids.ts';

/** T27: parents with a higher id, and three levels. */
function categories(): Row[] {
  return Array.from({ length: CATEGORY_COUNT }, (_, i) => {
    const id = i + 1;
    const parent = i % 4 === 0 ? null : i % 7 === 3 && id + 5 <= 40 ? id + 5 : id - (i % 4);
    return { id, name: `Category ${id}`, parent_id: parent };
  });
}

function courses(): Row[] {
  const customization = ['', '{}', '{"jaws": ["upper", "lower"]}', null, 'null', '{"price": 9.90}'];
  return COURSES.map((course, i) => ({ ...course, customization: at(customization, i) }));
}

const PRODUCT_NAMES = ['Lingual System', 'Labial System', 'Aligner', 'Retainer', 'Setup Only'];

function products(): Row[] {
  const live = new Set(LIVE_PRODUCT_IDS);
  const ids = [...LIVE_PRODUCT_IDS, ...DELETED_PRODUCT_IDS].sort((a, b) => a - b);
  return ids.map((id, i) => ({
    id,
    name: `${at(PRODUCT_NAMES, i % PRODUCT_NAMES.length)} ${id}`,
    description: i % 3 === 0 ? null : i % 3 === 1 ? '' : `Invented product number ${id}.`,
    free: i % 8 === 3,
    deleted: !live.has(id), // T28
    customization: at(ODD_JSON_TEXTS, i % ODD_JSON_TEXTS.length),
    type: i % 9 === 5 ? null : (i % 6) + 1,
    substitute: i % 5 === 0 ? null : i % 5 === 1,
    course_id: i % 6 === 4 ? null : at(COURSES, i % 4).id,
  }));
}

function productLinks(): RowSource[] {
  const ids = [...LIVE_PRODUCT_IDS, ...DELETED_PRODUCT_IDS];
  const roles = ids.flatMap((productId, i) =>
    [0, 1].map((j) => ({
      id: i * 2 + j + 1,
      product_id: productId,
      role_id: ((i * 3 + j * 11) % ROLE_COUNT) + 1,
    })),
  );
  const successors = DELETED_PRODUCT_IDS.map((productId, i) => ({
    id: i + 1,
    from_product_id: productId,
    to_product_id: at(LIVE_PRODUCT_IDS, i % LIVE_PRODUCT_IDS.length),
  }));
  return [
    { table: 'dispatch_product_roles', rows: roles, total: roles.length },
    { table: 'dispatch_product_successors', rows: successors, total: successors.length },
  ];
}

export function catalogueTables(): RowSource[] {
  const languages = ['English en', 'Japanese ja', 'Thai th', 'Hindi hi', 'Vietnamese vi'].map(
    (text, i) => ({ id: i + 1, name: text.slice(0, -3), code: text.slice(-2) }),
  );
  const source = (table: string, rows: readonly Row[]) => ({ table, rows, total: rows.length });
  return [
    source('dispatch_course', courses()),
    source('dispatch_category', categories()),
    source('dispatch_product', products()),
    ...productLinks(),
    source('dispatch_language', languages),
  ];
}
