import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { fillDatabase } from '../../demo/legacy/fill-database.ts';
import { ROOT } from '../harness/compose-file.ts';
import { freshDatabase } from '../harness/database.ts';
import { waitFor } from '../harness/wait-for.ts';

/** As `npm run legacy -- <args>`, with all that it has printed. */
function legacy(...args: readonly string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'demo/legacy/main.ts', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return { child, ended, output: () => output, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

test('the legacy system is filled once, and its application works until it is stopped', async () => {
  await using db = await freshDatabase();
  const url = `--url=${db.connectionString}`;
  using fill = legacy('fill', url, '--scale=tiny');
  expect(await fill.ended, fill.output()).toBe(0);
  const patients = async () =>
    Number((await db.query('select count(*) as n from dispatch_patient'))[0]?.['n']);
  const filled = await patients();
  expect(filled).toBeGreaterThan(0);
  using again = legacy('fill', url, '--scale=tiny');
  expect(await again.ended, again.output()).toBe(0);
  expect(await patients()).toBe(filled);

  const changes = async () =>
    Number(
      (
        await db.query(
          `select sum(n_tup_ins + n_tup_upd + n_tup_del) as n from pg_stat_user_tables`,
        )
      )[0]?.['n'],
    );
  const before = await changes();
  using work = legacy('work', url, '--changes-per-second=200');
  await waitFor(async () => (await changes()) > before + 50, { what: 'changes' });
  work.child.kill('SIGTERM');
  expect(await work.ended, work.output()).toBe(0);
  expect(work.output()).toMatch(/stopped after \d+ transactions/);
});

test('a database of somebody else is neither filled nor worked on', async () => {
  await using db = await freshDatabase();
  await db.query('create table customer (id int primary key); insert into customer values (1)');
  const options = { connectionString: db.connectionString, seed: 1, scale: 'tiny' } as const;
  await expect(fillDatabase(options)).rejects.toThrow('not empty');
  using work = legacy('work', `--url=${db.connectionString}`);
  expect(await work.ended).toBe(1);
  expect(work.output()).toContain('no invented legacy system');
  expect(await db.query('select id from customer')).toEqual([{ id: 1 }]);
});

test('a fill that was killed is begun again', async () => {
  await using db = await freshDatabase();
  await db.query(`comment on database ${db.name} is 'an invented legacy system, half filled';
    create table auth_user (id int)`);
  const options = { connectionString: db.connectionString, seed: 1, scale: 'tiny' } as const;
  expect(await fillDatabase(options)).toBe('filled');
  expect(await fillDatabase(options)).toBe('there');
});
