import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildConfig } from '../../cli/build-config.ts';
import { SETTING_NAMES, settingInfo, type SettingName } from '../../cli/config.ts';
import { readSettings, secretsOf } from '../../cli/read-settings.ts';
import { TandemError } from '../../core/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'tandem-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SECRET = 'opensesame';
const PIECES = [
  ...[
    'postgresql://',
    'postgres://',
    'mysql:',
    '/',
    '//',
    ':',
    '@',
    '?',
    '#',
    '&',
    '=',
    '%',
    '%4',
    '%40',
  ],
  ...[
    '[',
    ']',
    '[::1]',
    'h',
    'localhost',
    '5432',
    '99999',
    'db',
    'u',
    'sslmode',
    'verify-full',
    'require',
  ],
  ...[
    'sslrootcert',
    'sslcert',
    'sslkey',
    'host',
    'port',
    'user',
    'password',
    'options',
    '-c a=b',
    ' ',
  ],
  ...[
    '0',
    '-1',
    '1e9',
    '12.5',
    '50%',
    'MB',
    'kB',
    'GB',
    'true',
    'off',
    'stop',
    'debug',
    'ä',
    '🦷',
    '\0',
    '\n',
  ],
  ...['connect_timeout', '../', '.', '""', "''", '$1', 'NaN', 'Infinity', '9'.repeat(40)],
];
const assembled = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((it) => it.join(''));

const textFor = (name: SettingName) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(settingInfo(name).example) },
    { weight: 2, arbitrary: assembled },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  );

/** Some settings, right and wrong. */
const some = (most: number) =>
  fc
    .array(
      fc.constantFrom(...SETTING_NAMES).chain((name) => textFor(name).map((text) => [name, text])),
      { maxLength: most },
    )
    .map((pairs) => Object.fromEntries(pairs) as Partial<Record<SettingName, string>>);
const URLS = { SOURCE_URL: 'postgresql://u@h/d', TARGET_URL: 'postgresql://u@h/d' };
const environments = fc
  .tuple(fc.constantFrom({}, URLS, URLS), some(3))
  .map((it) => ({ ...it[0], ...it[1] }));

test('any settings make a configuration, or CONFIG_INVALID that names a setting; never anything else', () => {
  let valid = 0;
  let refused = 0;
  fc.assert(
    fc.property(environments, some(2), (environment, flags) => {
      try {
        const reading = readSettings({ flags, environment, workFolder: folder, envFile: null });
        secretsOf(reading);
        const config = buildConfig(reading, folder);
        valid++;
        for (const number of Object.values(config).filter((it) => typeof it === 'number')) {
          expect(Number.isFinite(number) && number >= 0).toBe(true);
        }
        expect(config.source.client.port).toBeGreaterThan(0);
        expect(config.slot).toMatch(/^[a-z0-9_]{1,63}$/);
      } catch (error) {
        if (!(error instanceof TandemError)) throw error;
        refused++;
        expect(error.code).toBe('CONFIG_INVALID');
        expect(error.message).toMatch(/setting=|problems=/);
      }
    }),
    { numRuns: 1000 },
  );
  expect({ valid: valid > 20, refused: refused > 20 }).toEqual({ valid: true, refused: true });
});

test('whatever is wrong with a URL or a password, no message shows the secret', () => {
  const around = fc.tuple(assembled, assembled);
  const secretNames = SETTING_NAMES.filter((name) => settingInfo(name).secret !== undefined);
  fc.assert(
    fc.property(fc.constantFrom(...secretNames), around, (name, [before, after]) => {
      const environment = {
        ...URLS,
        [name]: `${before}u:${SECRET}@${after}`,
      };
      const reading = readSettings({ flags: {}, environment, workFolder: folder, envFile: null });
      const shown = reading.problems.map(({ problem, from }) => problem + from).join();
      expect(shown).not.toContain(SECRET);
      try {
        buildConfig(reading, folder);
      } catch (error) {
        if (!(error instanceof TandemError)) throw error;
        expect(`${error.message} ${String(error.cause)}`).not.toContain(SECRET);
      }
    }),
    { numRuns: 1000 },
  );
});
