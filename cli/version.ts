import { readFileSync } from 'node:fs';

/** The version of this program, from package.json. */
export function tandemVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return (content as { version: string }).version;
}
