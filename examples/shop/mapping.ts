import type { Mapping } from '../../core/entity.ts';
import { categories, productCategories, products } from './catalogue.ts';
import { customers, notes } from './customers.ts';
import { orderLines, orders } from './orders.ts';

const mapping: Mapping = {
  name: 'shop',
  migrations: './migrations',
  entities: [customers, notes, categories, products, productCategories, orders, orderLines],
};

export default mapping;
