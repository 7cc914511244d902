import type { TestDatabase } from '../harness/database.ts';

/**
 * The rows that each target table should have, as queries of the legacy shop. They are written from
 * what the example promises, and know nothing of its mapping.
 */
const EXPECTED: Readonly<Record<string, string>> = {
  customers: `
    select tandem.uuid_of('customer', c.id) as id, lower(c.email) as email, c.name,
      case when not referrer.is_test then tandem.uuid_of('customer', referrer.id) end as referrer_id,
      c.id in (select customer_id from shop_order) as has_ordered
    from shop_customer c left join shop_customer referrer on referrer.id = c.referred_by_id
    where not c.is_test`,
  categories: `select tandem.uuid_of('category', id) as id, name from shop_category`,
  products: `
    select tandem.uuid_of('product', id) as id, sku, title,
      (price * 100)::bigint as price_cents, not is_discontinued as is_available
    from shop_product`,
  product_categories: `
    select tandem.uuid_of('product_category', id) as id,
      tandem.uuid_of('product', product_id) as product_id,
      tandem.uuid_of('category', category_id) as category_id
    from shop_product_categories`,
  orders: `
    select tandem.uuid_of('order', o.id) as id, o.number,
      tandem.uuid_of('customer', o.customer_id) as customer_id,
      tandem.uuid_of('order_status',
        coalesce((array['open', 'paid', 'sent'])[o.status], 'unknown')) as status_id,
      o.status as legacy_status,
      (100 * (o.shipping + coalesce((select sum(quantity * unit_price)
        from shop_orderitem where order_id = o.id), 0)))::bigint as total_cents,
      o.placed_at
    from shop_order o join shop_customer c on c.id = o.customer_id
    where not c.is_test and o.number <> ''`,
  order_lines: `
    select tandem.uuid_of('order_line', i.id) as id, tandem.uuid_of('order', o.id) as order_id,
      case when i.product_id is not null then tandem.uuid_of('product', i.product_id) end as product_id,
      i.quantity, (i.unit_price * 100)::bigint as unit_price_cents
    from shop_orderitem i join shop_order o on o.id = i.order_id
      join shop_customer c on c.id = o.customer_id
    where not c.is_test and o.number <> ''`,
  notes: `
    select tandem.uuid_of('note', n.id) as id, tandem.uuid_of('customer', c.id) as customer_id,
      case when o.number <> '' then tandem.uuid_of('order', o.id) end as order_id,
      n.text as body, n.written_at
    from shop_note n
      left join shop_order o on n.content_type_id = 2 and o.id = n.object_id
      join shop_customer c
        on c.id = case n.content_type_id when 1 then n.object_id when 2 then o.customer_id end
    where not c.is_test`,
};

/** Columns of the target that are no business of the mapping. */
const NOT_MAPPED = ['loyalty_points', 'deleted_at'];

export const SHOP_TABLES = Object.keys(EXPECTED);

type Rows = readonly string[];
type Comparison = { readonly expected: Rows; readonly found: Rows };

/** Ids are computed by the SQL function, which is fetched from the target. */
export async function prepareSource(source: TestDatabase, target: TestDatabase): Promise<void> {
  const functions = await target.query(
    `select pg_get_functiondef(oid) as sql from pg_proc
     where pronamespace = 'tandem'::regnamespace and proname like 'uuid%' order by oid`,
  );
  await source.query('create schema if not exists tandem');
  for (const { sql } of functions) await source.query(String(sql));
}

/** One target table: what the legacy shop says should be in it, and what is, value by value. */
export async function compareTable(
  table: string,
  { source, target }: { readonly source: TestDatabase; readonly target: TestDatabase },
): Promise<Comparison> {
  const expected = await texts(source, EXPECTED[table] ?? '');
  const columns = (
    await target.query(
      `select attname as name from pg_attribute
       where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
      [`public.${table}`],
    )
  ).map(({ name }) => String(name));
  const mapped = columns.filter((name) => !NOT_MAPPED.includes(name));
  const live = columns.includes('deleted_at') ? 'where deleted_at is null' : '';
  const found = await texts(target, `select ${mapped.join(', ')} from public.${table} ${live}`);
  return { expected, found };
}

/** Rows as JSON texts, which keep every digit and microsecond. */
async function texts(database: TestDatabase, sql: string): Promise<Rows> {
  const rows = await database.query(
    `select to_jsonb(it)::text as row from (${sql}) as it order by it.id`,
  );
  return rows.map(({ row }) => String(row));
}
