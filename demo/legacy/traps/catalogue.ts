import { rowsWhere, type Trap } from './trap.ts';

const DELETED_PRODUCT = `exists (select 1 from dispatch_product p where p.id = t.product_id and p.deleted)`;

/** Offices and what can be ordered. */
export const CATALOGUE_TRAPS: readonly Trap[] = [
  rowsWhere(
    'T21',
    'dispatch_office',
    `not t.valid and (exists (select 1 from dispatch_patient p where p.office_id = t.id)
     or exists (select 1 from dispatch_payment p where p.office_id = t.id))`,
  ),
  rowsWhere('T22', 'dispatch_office', 't.tax_rate <= 0 or t.tax_rate > 100 or t.tax_rate < 1'),
  rowsWhere(
    'T23',
    'dispatch_office',
    `t.country is null or t.country not in ('USA', 'India', 'Japan', 'Thailand', 'Australia')`,
  ),
  rowsWhere('T24', 'dispatch_office', `coalesce(btrim(t.name), '') = ''`),
  {
    number: 'T24',
    table: 'dispatch_office',
    sql: `select id from (select id, count(*) over (partition by address) as n
          from dispatch_office where address <> '') e where n > 1`,
  },
  rowsWhere(
    'T25',
    'dispatch_office',
    `t.phone ~ '[A-Za-z０-９]' or t.zip ~ '[A-Za-z０-９〒]' or t.zip ~ '^0' or t.phone = ''`,
  ),
  rowsWhere('T27', 'dispatch_category', 't.parent_id > t.id'),
  ...['dispatch_jaw', 'dispatch_offer', 'dispatch_template_products'].map((table) =>
    rowsWhere('T28', table, DELETED_PRODUCT),
  ),
  rowsWhere('T29', 'dispatch_course', 't.type <> t.id'),
  rowsWhere(
    'T30',
    'dispatch_offer',
    `t.doctor_id is null or coalesce(t.price_both, 0) + coalesce(t.price_upper, 0) + coalesce(t.price_lower, 0) = 0
     or exists (select 1 from auth_user u where u.id = t.doctor_id and u.username like 'staff%')`,
  ),
  rowsWhere(
    'T31',
    'dispatch_discount',
    `t.finish < t.start or t.used > t.count or t.percent = 100`,
  ),
];
