import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of Tandem's package.json and sources, wherever this file runs from. */
export const ROOT = rootAbove(import.meta.dirname);

function rootAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootAbove(dirname(folder));
}
