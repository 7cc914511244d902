import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.ts';

/** The version of this program, from package.json. */
export function tandemVersion(): string {
  const content: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return (content as { version: string }).version;
}
