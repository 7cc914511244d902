import { table, type LegacyTable } from './definition.ts';

/** Offices and what can be ordered. */
export const CATALOGUE: readonly LegacyTable[] = [
  table(
    'dispatch_office',
    `doctor_id integer -> auth_user
     name varchar(255) null
     address varchar(255) null
     apt varchar(255) null
     city varchar(255) null
     state varchar(255) null
     zip varchar(255) null
     country varchar(255) null
     phone varchar(255) null
     tax_rate numeric(7,4)
     valid boolean
     sq_customer_id varchar(255) null
     emails boolean null`,
  ),
  table(
    'dispatch_office_doctors',
    `office_id integer -> dispatch_office
     user_id integer -> auth_user
     unique (office_id, user_id)`,
  ),
  table(
    'dispatch_course',
    `name varchar(255)
     type integer
     customization text null`,
  ),
  table(
    'dispatch_category',
    `name varchar(255)
     parent_id integer null -> dispatch_category`,
  ),
  table(
    'dispatch_product',
    `name varchar(255)
     description text null
     free boolean
     deleted boolean
     customization text null
     type integer null
     substitute boolean null
     course_id integer null -> dispatch_course`,
  ),
  table(
    'dispatch_product_roles',
    `product_id integer -> dispatch_product
     role_id integer -> dispatch_role
     unique (product_id, role_id)`,
  ),
  table(
    'dispatch_product_successors',
    `from_product_id integer -> dispatch_product
     to_product_id integer -> dispatch_product
     unique (from_product_id, to_product_id)`,
  ),
  table(
    'dispatch_offer',
    `price_both numeric(10,2) null
     price_upper numeric(10,2) null
     price_lower numeric(10,2) null
     doctor_id integer null -> auth_user
     product_id integer -> dispatch_product`,
  ),
  table(
    'dispatch_discount',
    `percent integer null
     reason varchar(255) null
     count integer null
     start date null
     finish date null
     total boolean null
     used integer null
     offer_id integer -> dispatch_offer`,
  ),
  table(
    'dispatch_bracket',
    `name varchar(255) null
     project_id integer null -> dispatch_project
     type varchar(255) null`,
  ),
  table('dispatch_language', 'name varchar(255)\n code varchar(10)'),
];
