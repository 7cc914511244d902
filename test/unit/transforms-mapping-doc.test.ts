import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DOC_FILE, mappingDoc } from '../../cli/mapping-doc.ts';

test(
  'docs/mapping.md is what the code says: if not, run npm run docs:mapping',
  { timeout: 180_000 },
  async () => {
    expect(readFileSync(DOC_FILE, 'utf8')).toBe(await mappingDoc());
  },
);
