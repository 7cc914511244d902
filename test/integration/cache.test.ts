import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { filledOnce } from '../../demo/servers/cache.ts';

let base: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'tandem-cache-'));
});

afterAll(() => rm(base, { recursive: true, force: true }));

test('of two processes that want a folder one fills it, and the other waits', async () => {
  const folder = join(base, 'wanted');
  await mkdir(`${folder}.wants`);
  const fills = await Promise.all([1, 2, 3].map(() => fillInChild(folder, 3)));
  expect(fills.filter((it) => it === 'filled')).toHaveLength(1);
  expect(fills.filter((it) => it === 'found')).toHaveLength(2);
  expect(await readFile(join(folder, 'last'), 'utf8')).toBe('complete');
});

test('a filling that fails leaves nothing, and the next one is tried', async () => {
  const filling = fillingOf(join(base, 'broken'));
  const broken = filledOnce({
    ...filling,
    async fill(fresh) {
      await writeFile(join(fresh, 'half'), '');
      throw new Error('no network');
    },
  });
  await expect(broken).rejects.toThrow('no network');
  expect((await readdir(base)).filter((name) => name.startsWith('broken'))).toEqual([]);
  await filledOnce({ ...filling, fill: (fresh) => writeFile(join(fresh, 'all'), '') });
  expect(await readdir(filling.folder)).toEqual(['all']);
});

test('the turn of a process that has died counts for nothing', async () => {
  const filling = fillingOf(join(base, 'orphaned'));
  const dead = spawn(process.execPath, ['--eval', '']);
  await once(dead, 'exit');
  await writeFile(filling.turn, String(dead.pid));
  await filledOnce(filling);
  expect(await readdir(filling.folder)).toEqual([]);
});

test('who waits too long is told whose turn it is', async () => {
  const filling = fillingOf(join(base, 'busy'));
  await writeFile(filling.turn, String(process.pid));
  await expect(filledOnce({ ...filling, timeoutMs: 1 })).rejects.toThrow(filling.turn);
});

function fillingOf(folder: string) {
  return {
    folder,
    turn: `${folder}.lock`,
    what: 'a folder',
    timeoutMs: 10_000,
    fill: async () => undefined,
  };
}

/** In a process of its own, which fills when all `children` want the folder. */
async function fillInChild(folder: string, children: number): Promise<string> {
  const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const code = `
    import { readdir, writeFile } from 'node:fs/promises';
    import { filledOnce } from ${module('../../demo/servers/cache.ts')};
    import { waitFor } from ${module('../harness/wait-for.ts')};
    const wants = ${JSON.stringify(`${folder}.wants`)};
    const areAllThere = async () => (await readdir(wants)).length === ${children};
    let did = 'found';
    const filled = filledOnce({
      ...${JSON.stringify(fillingOf(folder))},
      async fill(fresh) {
        did = 'filled';
        await waitFor(areAllThere, { what: 'the others' });
        await writeFile(fresh + '/last', 'complete');
      },
    });
    await writeFile(wants + '/' + process.pid, ''); // it has looked, and the folder was not there
    await filled;
    console.log(did);`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return line;
}
