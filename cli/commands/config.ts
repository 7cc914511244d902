import { EXIT, type Command } from '../command.ts';
import { SETTING_NAMES, settingInfo, type SettingName } from '../config.ts';
import { hidePassword } from '../database-url.ts';
import { configError, type Reading } from '../read-settings.ts';

type Line = {
  readonly setting: SettingName;
  readonly value: string | null;
  readonly from: string | null;
};

/** `tandem config [--json]`: exit code 2 when a setting is wrong. */
export const config: Command = {
  options: [{ flags: '--json', help: 'print JSON' }],

  async run(context, flags) {
    const reading = context.reading();
    const lines = SETTING_NAMES.map((name) => lineOf(reading, name));
    if (flags['json']) {
      const { envFile, problems } = reading;
      context.out.line(JSON.stringify({ settings: lines, envFile, problems }, null, 2));
    } else {
      for (const text of table(lines)) context.out.line(text);
    }
    const problems = await whatIsWrong(context.reading(), context.workFolder);
    if (problems !== null) throw problems;
    return EXIT.ok;
  },
};

function lineOf(reading: Reading, setting: SettingName): Line {
  const given = reading.given.get(setting);
  if (given === undefined) return { setting, value: null, from: null };
  return { setting, value: shown(setting, given.text), from: given.origin.label };
}

/** A value without what is secret in it. */
function shown(setting: SettingName, text: string): string {
  const { secret } = settingInfo(setting);
  if (secret === undefined) return text;
  return secret === 'url' ? hidePassword(text) : '***';
}

function table(lines: readonly Line[]): readonly string[] {
  const width = Math.max(...lines.map((line) => line.setting.length));
  const valueWidth = Math.min(48, Math.max(...lines.map((line) => line.value?.length ?? 0)));
  let group = '';
  return lines.flatMap((line) => {
    const heading = settingInfo(line.setting).group;
    const value = (line.value ?? '-').padEnd(valueWidth);
    const text = `  ${line.setting.padEnd(width)}  ${value}  ${line.from ?? ''}`.trimEnd();
    if (heading === group) return [text];
    const first = group === '';
    group = heading;
    return first ? [heading, text] : ['', heading, text];
  });
}

/** Wrong settings; missing ones are not wrong before a command needs them. */
async function whatIsWrong(reading: Reading, workFolder: string): Promise<Error | null> {
  if (reading.problems.length > 0) return configError(reading.problems);
  const isConnected = (['SOURCE_URL', 'LEGACY_DB_HOST'] as const).some((it) =>
    reading.given.has(it),
  );
  const isTargeted = (['TARGET_URL', 'SUPABASE_DB_URL'] as const).some((it) =>
    reading.given.has(it),
  );
  if (!isConnected || !isTargeted) return null;
  const { buildConfig } = await import('../build-config.ts');
  try {
    buildConfig(reading, workFolder);
    return null;
  } catch (error) {
    return error as Error;
  }
}
