import { pathToFileURL } from 'node:url';
import pg from 'pg';

/** An existing row's id, chosen by a number between 0 and 1. */
const any = (table: string, chance = '$1') =>
  `(select id from ${table} order by id
    offset floor(${chance} * (select count(*) from ${table})) limit 1)`;

/** What happens in a shop: one transaction each. `$1` and `$2` are between 0 and 1. */
const DEEDS: readonly string[] = [
  `insert into shop_customer (email, name, is_test, password, joined_at, referred_by_id)
   values ('Buyer-' || $1 || '@example.org', 'Buyer', $2 < 0.2, 'p', now(), ${any('shop_customer')})`,
  // Now and then without a number, and with a status that nobody has heard of.
  `with placed as (
     insert into shop_order (number, status, shipping, placed_at, customer_id)
     values (case when $2 < 0.2 then '' else 'N-' || $1 end, case when $1 < 0.1 then 9 else 1 end,
       4.90, now(), ${any('shop_customer')})
     returning id)
   insert into shop_orderitem (quantity, unit_price, order_id, product_id)
   select 1 + floor(9 * $2), price, placed.id, product.id
   from placed, (select * from shop_product order by id limit 1 + floor(3 * $2)) as product`,
  `update shop_order set number = 'found-' || id where number = ''
   and id = (select max(id) from shop_order where number = '')`,
  `update shop_order set status = case when $2 < 0.5 then 2 else 3 end where id = ${any('shop_order')}`,
  `update shop_customer set name = 'Name ' || $2 where id = ${any('shop_customer')}`,
  `update shop_customer set password = 'p-' || $2 where id = ${any('shop_customer')}`,
  `update shop_customer set is_test = not is_test where id = ${any('shop_customer')}`,
  `update shop_order set customer_id = ${any('shop_customer', '$2')} where id = ${any('shop_order')}`,
  `insert into shop_product (sku, title, price, is_discontinued)
   values ('N-' || $1, 'A novelty', round((90 * $2)::numeric, 2), $1 < 0.2)`,
  `update shop_product set price = price + 0.10 where id = ${any('shop_product')}`,
  // As Django's SET_NULL and CASCADE do it, statement by statement.
  `with item as (update shop_orderitem set product_id = null
     where product_id = ${any('shop_product')} and $2 < 0.3),
   link as (delete from shop_product_categories
     where product_id = ${any('shop_product')} and $2 < 0.3)
   delete from shop_product where id = ${any('shop_product')} and $2 < 0.3`,
  `insert into shop_product_categories (product_id, category_id)
   values (${any('shop_product')}, ${any('shop_category', '$2')}) on conflict do nothing`,
  `delete from shop_product_categories where id = ${any('shop_product_categories')}`,
  `update shop_orderitem set quantity = quantity + 1 where id = ${any('shop_orderitem')}`,
  `delete from shop_orderitem where id = ${any('shop_orderitem')}`,
  `with item as (delete from shop_orderitem where order_id = ${any('shop_order')} and $2 < 0.5)
   delete from shop_order where id = ${any('shop_order')} and $2 < 0.5`,
  `insert into shop_note (content_type_id, object_id, text, written_at)
   values (1 + floor(2.2 * $2), 1 + floor($1 * (select max(id) from shop_order)), 'Note ' || $1, now())`,
  `delete from shop_note where id = ${any('shop_note')}`,
];

/** A day in the shop. The same seed does the same. */
export async function trade(
  client: pg.ClientBase,
  options: { readonly seed: number; readonly transactions: number; readonly pauseMs?: number },
): Promise<void> {
  let state = options.seed;
  const chance = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < options.transactions; i++) {
    const deed = DEEDS[Math.floor(chance() * DEEDS.length)] ?? '';
    const [first, second] = [chance(), chance()].map((it) => it.toFixed(6));
    const sql = deed.replaceAll('$1', `${first}`).replaceAll('$2', `${second}`);
    await client.query(sql);
    await new Promise((resolve) => setTimeout(resolve, options.pauseMs ?? 0));
  }
}

/** `SOURCE_URL=… npx tsx examples/shop/traffic.ts [transactions]`, twenty a second. */
async function main(): Promise<void> {
  const transactions = Number(process.argv[2] ?? 200);
  const client = new pg.Client({ connectionString: process.env['SOURCE_URL'] });
  await client.connect();
  await trade(client, { seed: Date.now() % 1_000_000, transactions, pauseMs: 50 });
  await client.end();
  process.stdout.write(`${transactions} transactions in the legacy shop\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
