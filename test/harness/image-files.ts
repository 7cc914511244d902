import { cp, mkdir, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { read, ROOT } from './compose-file.ts';

/** What .dockerignore lets into the image: it leaves everything out, and then names what goes in. */
export function imageFiles(): readonly string[] {
  const [first, ...rest] = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*' || !rest.every((line) => /^![\w.-]+$/.test(line))) {
    throw new Error('.dockerignore is not a * with names behind it');
  }
  return rest.map((line) => line.slice(1)).filter((name) => existsSync(join(ROOT, name)));
}

/** Lays the files of the image out in `folder`, which is made, beside the packages of this checkout. */
export async function layOutImage(folder: string): Promise<void> {
  await mkdir(folder);
  for (const name of imageFiles()) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}
