import { z } from 'zod';
import { formatSize, parseDuration, parseSize } from './units.ts';

/** What is said of a setting: by `tandem config`, `--help`, the `.env` of `tandem init`, the manual. */
export type SettingInfo = {
  readonly group: (typeof GROUPS)[number];
  readonly help: string;
  /** A right value, shown beside a wrong one. */
  readonly example: string;
  /** The option's value name; null: not on the command line, where other users could read it. */
  readonly value: string | null;
  /** The option's name where it is not made from the setting's. */
  readonly flag?: string;
  readonly default?: string;
  /** `value`: never shown. `url`: shown without the password. */
  readonly secret?: 'value' | 'url';
};

export const GROUPS = [
  'Source: the legacy database',
  'Target: the Supabase database',
  'Stream',
  'Kafka',
  'Kafka Connect',
  'Mapping',
  'Limits',
  'Behaviour',
  'Metrics',
  'Logs',
] as const;

export const about = z.registry<SettingInfo>();

/** A type read from text by `parse`, which gives null for a text that is not one. */
export function read<T>(parse: (text: string) => T | null, expected: string) {
  return z.string().transform((text, context): T => {
    const value = parse(text.trim());
    if (value !== null) return value;
    context.issues.push({ code: 'custom', message: expected, input: undefined });
    return z.NEVER;
  });
}

export function optional<T>(type: z.ZodType<T, string>, info: SettingInfo) {
  return type.optional().register(about, info);
}

export function withDefault<T>(
  type: z.ZodType<T, string>,
  info: SettingInfo & { readonly default: string },
) {
  return type.prefault(info.default).register(about, info);
}

const plain = (text: string) => (text === '' ? null : text);
export const words = read(plain, 'must not be empty');
/** A password may begin or end with a space. */
export const secret = z.string();
export const oneOf = <const T extends readonly string[]>(values: T) =>
  read(
    (text): T[number] | null => values.find((value) => value === text.toLowerCase()) ?? null,
    `must be one of ${values.join(', ')}`,
  );

export function whole(least: number, most = Number.MAX_SAFE_INTEGER) {
  const range =
    most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return read((text) => {
    const number = /^\d+$/.test(text) ? Number(text) : NaN;
    return number >= least && number <= most ? number : null;
  }, `must be a whole number ${range}`);
}

export function size(least: number) {
  return read(
    (text) => {
      const bytes = parseSize(text);
      return bytes !== null && bytes >= least ? bytes : null;
    },
    `must be a size of at least ${formatSize(least)}, in bytes or with kB, MB or GB`,
  );
}

export const duration = read((text) => {
  const ms = parseDuration(text);
  return ms !== null && ms >= 1000 ? ms : null;
}, 'must be a duration of at least a second, in seconds or with s, m, h or d');

/** `true` or `false`, and what people write for them. */
export const yesOrNo = read((text): boolean | null => {
  const word = text.toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  return ['false', '0', 'no', 'off'].includes(word) ? false : null;
}, 'must be true or false');

/** Without a user in it: those have settings of their own, which are never shown. */
export const httpUrl = read((text) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  return isHttp && url.username === '' && url.password === '' ? text.replace(/\/+$/, '') : null;
}, 'must be an http or https URL without user and password');
