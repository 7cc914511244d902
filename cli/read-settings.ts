import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parse } from 'dotenv';
import { TandemError } from '../core/errors.ts';
import {
  SETTING_NAMES,
  settingInfo,
  settingsSchema,
  type SettingName,
  type Settings,
} from './config.ts';
import { parseDatabaseUrl, type DatabaseAddress } from './database-url.ts';
import { didYouMean } from './similar.ts';

/** Where a value came from, the strongest first. */
const STRENGTH = ['flag', 'environment', 'file', 'default'] as const;
type Origin = { readonly kind: (typeof STRENGTH)[number]; readonly label: string };

/** The text that was given for a setting, and by what. */
type Given = { readonly text: string; readonly origin: Origin };

/** What is wrong with a setting. `problem` never quotes a secret. */
export type Problem = { readonly setting: string; readonly from: string; readonly problem: string };

/** The settings as they were found, right or wrong. */
export type Reading = {
  readonly given: ReadonlyMap<SettingName, Given>;
  /** The file that was read, or null. */
  readonly envFile: string | null;
  readonly problems: readonly Problem[];
  /** Null as long as there are problems. */
  readonly settings: Settings | null;
};

export type Inputs = {
  readonly flags: Partial<Record<SettingName, string>>;
  /** The options' names as they were written, for messages: `--slot`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workFolder: string;
  /** From `--env-file`; it must exist. Null: `.env` in the work folder, if there is one. */
  readonly envFile: string | null;
};

/** Names that begin like ours and are not settings: for tests and tools around Tandem. */
const NOT_SETTINGS = /^TANDEM_TEST_/;

/** Collects the settings from flags, environment, `.env` and defaults, in this order, and checks them. */
export function readSettings(inputs: Inputs): Reading {
  const problems: Problem[] = [];
  const file = readEnvFile(inputs, problems);
  const label = file === null ? '.env' : (inputs.envFile ?? basename(file.path));
  const given = new Map<SettingName, Given>();
  for (const name of SETTING_NAMES) {
    const flag = inputs.flags[name];
    const found: readonly (Given | null)[] = [
      givenBy(flag, { kind: 'flag', label: 'command line' }),
      givenBy(inputs.environment[name], { kind: 'environment', label: 'environment' }),
      givenBy(file?.values[name], { kind: 'file', label }),
      givenBy(settingInfo(name).default, { kind: 'default', label: 'default' }),
    ];
    const strongest = found.find((candidate) => candidate !== null);
    if (strongest) given.set(name, strongest);
  }
  problems.push(...unknownNames(inputs, file?.values ?? {}, label));
  const settings = validate(given, problems);
  return {
    given,
    envFile: file?.path ?? null,
    problems,
    settings: problems.length === 0 ? settings : null,
  };
}

/** An empty text is "not given": that is how a commented template and a container's file say it. */
function givenBy(text: string | undefined, origin: Origin): Given | null {
  return text === undefined || text === '' ? null : { text, origin };
}

type EnvFile = { readonly path: string; readonly values: Readonly<Record<string, string>> };

function readEnvFile(inputs: Inputs, problems: Problem[]): EnvFile | null {
  const path = resolve(inputs.workFolder, inputs.envFile ?? '.env');
  try {
    return { path, values: parse(readFileSync(path)) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    if (code === 'ENOENT' && inputs.envFile === null) return null;
    const problem = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`;
    problems.push({ setting: '--env-file', from: path, problem });
    return null;
  }
}

/** In `.env` every name is meant for us; in the environment only those that begin with TANDEM_. */
function unknownNames(
  inputs: Inputs,
  fileValues: Readonly<Record<string, string>>,
  fileLabel: string,
): Problem[] {
  const isUnknown = (name: string) => !(SETTING_NAMES as readonly string[]).includes(name);
  const named = (from: string) => (name: string) => {
    const meant = didYouMean(name, SETTING_NAMES);
    const advice = meant === null ? '`tandem config` lists all settings' : `did you mean ${meant}?`;
    return { setting: name, from, problem: `is not a setting; ${advice}` };
  };
  const fromEnvironment = Object.keys(inputs.environment).filter(
    (name) => name.startsWith('TANDEM_') && !NOT_SETTINGS.test(name) && isUnknown(name),
  );
  return [
    ...fromEnvironment.map(named('environment')),
    ...Object.keys(fileValues).filter(isUnknown).map(named(fileLabel)),
  ];
}

function validate(given: ReadonlyMap<SettingName, Given>, problems: Problem[]): Settings | null {
  const texts: Partial<Record<SettingName, string>> = {};
  for (const [name, { text }] of given) texts[name] = text;
  const result = settingsSchema.safeParse(texts);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const name = issue.path[0] as SettingName;
    const found = given.get(name);
    const { example, secret } = settingInfo(name);
    const value = secret === undefined && found !== undefined ? `"${found.text}" ` : '';
    problems.push({
      setting: name,
      from: found?.origin.label ?? 'nowhere',
      problem: `${value}${issue.message}; for example ${example}`,
    });
  }
  return null;
}

/** The stronger of two ways to say the same thing; a problem where both are equally strong. */
export function strongerOf(
  reading: Reading,
  one: SettingName,
  other: SettingName,
): SettingName | Problem | null {
  const strength = (name: SettingName) => {
    const origin = reading.given.get(name)?.origin.kind;
    return origin === undefined ? STRENGTH.length : STRENGTH.indexOf(origin);
  };
  const [first, second] = [strength(one), strength(other)];
  if (first === STRENGTH.length && second === STRENGTH.length) return null;
  if (first !== second) return first < second ? one : other;
  return {
    setting: `${one}, ${other}`,
    from: reading.given.get(one)?.origin.label ?? '',
    problem: 'both are given, and say the same thing; keep one of them',
  };
}

/** One error for all that is wrong: a script's user wants to hear everything at once. */
export function configError(problems: readonly Problem[]): TandemError {
  const errors = problems.map(
    ({ setting, from, problem }) => new TandemError('CONFIG_INVALID', { setting, from, problem }),
  );
  const [first, ...rest] = errors;
  if (first !== undefined && rest.length === 0) return first;
  return new TandemError(
    'CONFIG_INVALID',
    { problems: errors.length },
    new AggregateError(errors, 'several settings are wrong'),
  );
}

/** Every secret text among the settings, and the texts beside them that are no secrets. */
export function secretsOf(reading: Reading): {
  readonly secrets: readonly string[];
  readonly visible: readonly string[];
} {
  const secrets: string[] = [];
  const visible: string[] = [];
  for (const [name, { text }] of reading.given) {
    const { secret } = settingInfo(name);
    if (secret === 'value') secrets.push(text);
    else if (secret === 'url') {
      const address = readAddress(text);
      if (address === null) secrets.push(text);
      else visible.push(address.user, address.database, address.host);
      if (address?.password) secrets.push(address.password);
    } else visible.push(text);
  }
  return { secrets, visible };
}

function readAddress(url: string): DatabaseAddress | null {
  try {
    return parseDatabaseUrl(url.trim());
  } catch {
    return null;
  }
}
