import { bool, int2, int4, numeric, text, timestamptz } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

// Written once by `tandem init` from the catalogue of the source; it is yours now.
// Delete the tables and columns that no entity reads. A column marked neverRead never leaves the
// source: these were guessed from their names, so look through the others too.

/** about 3 rows. */
export const djangoContentType = legacyTable('django_content_type', 'id', {
  id: int4,
  app_label: text,
  model: text,
});

/** about 3 rows. */
export const shopCategory = legacyTable('shop_category', 'id', {
  id: int4,
  name: text,
});

/** about 4 rows. */
export const shopCustomer = legacyTable('shop_customer', 'id', {
  id: int4,
  email: text,
  name: text,
  is_test: bool,
  password: text.neverRead, // likely a secret, by its name
  joined_at: timestamptz,
  referred_by_id: int4.orNull,
});

/** about 6 rows. */
export const shopNote = legacyTable('shop_note', 'id', {
  id: int4,
  content_type_id: int4,
  object_id: int4,
  text: text,
  written_at: timestamptz,
});

/** about 5 rows. */
export const shopOrder = legacyTable('shop_order', 'id', {
  id: int4,
  number: text,
  status: int2,
  shipping: numeric,
  placed_at: timestamptz,
  customer_id: int4,
});

/** about 6 rows. */
export const shopOrderitem = legacyTable('shop_orderitem', 'id', {
  id: int4,
  quantity: int4,
  unit_price: numeric,
  order_id: int4,
  product_id: int4.orNull,
});

/** about 4 rows. */
export const shopProduct = legacyTable('shop_product', 'id', {
  id: int4,
  sku: text,
  title: text,
  price: numeric,
  is_discontinued: bool,
});

/** about 5 rows. */
export const shopProductCategories = legacyTable('shop_product_categories', 'id', {
  id: int4,
  product_id: int4,
  category_id: int4,
});
