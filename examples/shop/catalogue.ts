import { entity } from '../../core/entity.ts';
import { ref, row } from '../../core/outcome.ts';
import { shopCategory, shopProduct, shopProductCategories } from './legacy.ts';
import { cents } from './values.ts';

export const categories = entity({
  name: 'category',
  target: 'categories',
  from: shopCategory.select('name'),
  map: ({ id, name }) => row({ id: ref('category', id), name }),
});

export const products = entity({
  name: 'product',
  target: 'products',
  from: shopProduct.select('sku', 'title', 'price', 'is_discontinued'),
  map: ({ id, sku, title, price, is_discontinued: isGone }) =>
    row({ id: ref('product', id), sku, title, price_cents: cents(price), is_available: !isGone }),
});

/** `shop_product_categories`, the many-to-many table, to `product_categories`. */
export const productCategories = entity({
  name: 'product_category',
  target: 'product_categories',
  from: shopProductCategories.select('product_id', 'category_id'),
  map: ({ id, product_id, category_id }) =>
    row({
      id: ref('product_category', id),
      product_id: ref('product', product_id),
      category_id: ref('category', category_id),
    }),
});
