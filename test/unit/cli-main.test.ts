import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../cli/commands.ts';
import { Workplace } from '../integration/cli-run.ts';

test('without a command, and with --help, the commands are listed', async () => {
  using work = new Workplace();
  const help = await work.run('--help');
  expect(help.code).toBe(0);
  for (const { name, summary } of COMMANDS) {
    expect(help.out).toMatch(new RegExp(`^  ${name} +${summary.slice(0, 30)}`, 'm'));
  }
  expect((await work.run()).code).toBe(2);
});

test.each(COMMANDS.map(({ name }) => name))('%s has a help text', async (name) => {
  using work = new Workplace();
  for (const argv of [
    [name, '--help'],
    ['help', name],
  ]) {
    const { code, out } = await work.run(...argv);
    expect(code).toBe(0);
    expect(out).toContain(`tandem ${name}`);
    expect(out).toContain('--env-file');
  }
});

test.each([
  [['confg'], "unknown command 'confg'", 'Did you mean config?'],
  [['config', '--jsno'], "unknown option '--jsno'", 'Did you mean --json?'],
  [['config', 'more'], 'too many arguments', '--help'],
  [['config', '--slot'], "option '--slot <name>' argument missing", '--help'],
])('%j: says what is wrong, the next step, and exits with 2', async (argv, message, next) => {
  using work = new Workplace();
  const { code, out, err } = await work.run(...argv);
  expect(code).toBe(2);
  expect(err).toContain(message);
  expect(err).toContain(next);
  expect(out).toBe('');
});

test('wrong settings are told all at once, with exit code 2 and one next step', async () => {
  using work = new Workplace({ TANDEM_SLOTT: 'x' });
  work.write('.env', 'CHUNK_ROWS=many\n');
  for (const command of ['config', 'check', 'setup', 'init']) {
    const { code, err } = await work.run(command);
    expect(code).toBe(2);
    expect(err.split('\n')).toEqual([
      expect.stringMatching(
        /^error: CONFIG_INVALID setting=TANDEM_SLOTT from=environment .*TANDEM_SLOT\?$/,
      ),
      expect.stringMatching(
        /^error: CONFIG_INVALID setting=CHUNK_ROWS from=\.env .*"many".*for example 50000$/,
      ),
      'next:  Correct the named setting; `tandem config` shows all of them.',
      '',
    ]);
  }
});

test('config shows every setting, its value and where it came from', async () => {
  using work = new Workplace({ STREAM: 'two' });
  work.write('.env', 'CHUNK_ROWS=700\n');
  const { code, out } = await work.run('config', '--json', '--slot', 'mine');
  expect(code).toBe(0);
  const { settings } = JSON.parse(out) as { settings: Record<string, unknown>[] };
  expect(settings).toContainEqual({ setting: 'TANDEM_SLOT', value: 'mine', from: 'command line' });
  expect(settings).toContainEqual({ setting: 'STREAM', value: 'two', from: 'environment' });
  expect(settings).toContainEqual({ setting: 'CHUNK_ROWS', value: '700', from: '.env' });
  expect(settings).toContainEqual({ setting: 'ON_TRUNCATE', value: 'stop', from: 'default' });
  expect((await work.run('config')).out).toMatch(/CHUNK_ROWS +700 +default|CHUNK_ROWS +700 +\.env/);
});

test('init writes .env once, readable by its owner alone, and never over another', async () => {
  using work = new Workplace();
  const first = await work.run('init');
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(first.out).toContain('wrote .env');
  expect((await work.run('config')).code).toBe(0);
  work.write('.env', '# mine\n');
  expect((await work.run('init')).out).toContain('kept  .env: it exists already');
  expect(readFileSync(join(work.folder, '.env'), 'utf8')).toBe('# mine\n');
});

/** Characters that URLs, JSON, shells and terminals treat in their own way. */
const secret = fc
  .string({
    unit: fc.constantFrom(...('aZ09@:/?#%&=+ "\'\\`${}<>|~^é漢😀'.match(/./gu) ?? [])),
    minLength: 6,
    maxLength: 20,
  })
  .map((text) => `Q7${text}x9`);

test('no password appears in any output, whatever it consists of and wherever it was given', async () => {
  await fc.assert(
    fc.asyncProperty(secret, async (password) => {
      const encoded = encodeURIComponent(password);
      const raw = `postgresql://ann:${password}@127.0.0.1:1/legacy`;
      const right = `postgresql://ann:${encoded}@127.0.0.1:1/legacy`;
      const environments: Record<string, string>[] = [
        { SOURCE_URL: right, TARGET_URL: right, LOG_LEVEL: 'debug' },
        { SOURCE_URL: raw, TARGET_URL: right },
        {
          SOURCE_URL: `${right}?sslmode=${encoded}`,
          TARGET_URL: `postgresql://h/d?password=${encoded}`,
        },
        {
          ...{ LEGACY_DB_HOST: '127.0.0.1', LEGACY_DB_PORT: '1', LEGACY_DB_NAME: 'legacy' },
          ...{ LEGACY_DB_USER: 'ann', LEGACY_DB_PASSWORD: password, TARGET_URL: right },
        },
      ];
      for (const environment of environments) {
        using work = new Workplace(environment);
        for (const argv of [['config'], ['config', '--json'], ['teardown', '--yes'], ['init']]) {
          const { out, err } = await work.run(...argv);
          for (const form of [password, encoded, JSON.stringify(password).slice(1, -1)]) {
            expect(`${out}${err}`).not.toContain(form);
          }
        }
      }
    }),
    { numRuns: 25 },
  );
});
