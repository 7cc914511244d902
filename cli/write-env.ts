import { SETTING_NAMES, settingInfo, type SettingName } from './config.ts';
import { GROUPS } from './setting.ts';

/** A commented `.env` with every setting; those in `values` are set, all others commented out. */
export function envTemplate(values: ReadonlyMap<SettingName, string>): string {
  const sections = GROUPS.map((group) => {
    const names = SETTING_NAMES.filter((name) => settingInfo(name).group === group);
    return [`# --- ${group}`, '', ...names.map((name) => entry(name, values.get(name)))].join('\n');
  });
  return `${HEAD}\n${sections.join('\n')}`;
}

const HEAD = `# Settings of Tandem. Environment variables and command line options are stronger than this file.
# It may hold passwords: keep it out of version control.
# A value with spaces or # stands in single quotes.
`;

function entry(name: SettingName, value: string | undefined): string {
  const info = settingInfo(name);
  const lines = wrap(info.help).map((line) => `# ${line}`);
  const assignment =
    value !== undefined ? `${name}=${quoted(value)}` : `#${name}=${info.default ?? info.example}`;
  return [...lines, assignment, ''].join('\n');
}

/** dotenv takes what stands between quotes of one kind as it is. */
function quoted(text: string): string {
  if (/^[\w./:@%+?&=~-]*$/.test(text)) return text;
  const quote = ["'", '`', '"'].find((candidate) => !text.includes(candidate));
  return quote === undefined ? text : `${quote}${text}${quote}`;
}

function wrap(text: string, width = 96): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}
