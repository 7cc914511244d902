import type { Mapping } from '../../../core/entity.ts';
import { customers } from './customers.ts';
import { invoices } from './invoices.ts';
import { lines } from './lines.ts';
import { statusChanges } from './status-changes.ts';

const mapping: Mapping = {
  name: 'invoicing',
  migrations: '../migrations',
  entities: [customers, invoices, lines, statusChanges],
};

export default mapping;
