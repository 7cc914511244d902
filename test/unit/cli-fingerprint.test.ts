import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fingerprintsOf } from '../../cli/fingerprint.ts';
import type { Mapping } from '../../core/entity.ts';

const folder = mkdtempSync(join(tmpdir(), 'tandem-fingerprint-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const ORDERS = `
  import { label } from './codes.ts';
  // What an order is called.
  export const map = (order: { id: number }) => ({ id: order.id, name: label(order.id) });`;
const FILES = {
  'orders.ts': ORDERS,
  'codes.ts': `import { lower } from 'words'; const names = ['a', 'b'];
    export const label = (code: number) => lower(names[code] ?? '');`,
  'offices.ts': `export const map = (office: { id: number }) => ({ id: office.id });`,
  'node_modules/words/package.json': '{"name": "words", "version": "1.0.0"}',
};

/** Fingerprints of two entities, with some files otherwise. */
async function fingerprints(changed: Readonly<Record<string, string>> = {}) {
  for (const [name, text] of Object.entries({ ...FILES, ...changed })) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const entity = (name: string) => ({
    kind: 'derived',
    name,
    definedAt: `${join(folder, `${name}.ts`)}:3`,
  });
  const entities = [entity('orders'), entity('offices')];
  const found = await fingerprintsOf({ entities } as unknown as Mapping);
  return { orders: found.get('orders'), offices: found.get('offices') };
}

test.each([
  ['a comment', { 'orders.ts': ORDERS.replace('// What', '// How and what') }],
  ['formatting', { 'orders.ts': ORDERS.replaceAll('{ id', '{\n  id').replaceAll(`'`, `"`) }],
  ['a type', { 'orders.ts': ORDERS.replace('id: number', 'id: number; more?: string') }],
])('%s changes no fingerprint', async (_what, changed) => {
  const before = await fingerprints();
  expect(before.orders).toMatch(/^[\da-f]{16}$/);
  expect(await fingerprints(changed)).toEqual(before);
});

test.each([
  ['what map does', { 'orders.ts': ORDERS.replace('id: order.id,', 'id: -order.id,') }],
  ['a table of codes in another file', { 'codes.ts': FILES['codes.ts'].replace(`'b'`, `'c'`) }],
  ['the version of a package', { 'node_modules/words/package.json': '{"version": "1.0.1"}' }],
])('%s changes the fingerprint of who uses it, and of nobody else', async (_what, changed) => {
  const before = await fingerprints();
  const after = await fingerprints(changed);
  expect(after.orders).not.toBe(before.orders);
  expect(after.offices).toBe(before.offices);
});
