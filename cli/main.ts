import { readFileSync } from 'node:fs';
import { Command as Program, CommanderError, Option } from 'commander';
import { TandemError } from '../core/errors.ts';
import { EXIT, type Command, type ExitCode, type Flags } from './command.ts';
import { COMMANDS } from './commands.ts';
import { SETTING_NAMES, settingFlag, settingInfo, type SettingName } from './config.ts';
import { createContext, makeOutput, type Streams } from './context.ts';
import { errorLines } from './print-error.ts';
import { readSettings, secretsOf, type Reading } from './read-settings.ts';
import { makeRedact, type Redact } from './redact.ts';

export type Surroundings = Streams & {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workFolder: string;
};

/** Settings that `--help` lists; every other one is an option too. */
const OFTEN_USED: ReadonlySet<SettingName> = new Set([
  'SOURCE_URL',
  'TARGET_URL',
  'MAPPING',
  'LOG_LEVEL',
]);

/** Runs one command line and returns the exit code. Nothing is thrown. */
export async function main(
  argv: readonly string[],
  surroundings: Surroundings = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    workFolder: process.cwd(),
  },
): Promise<ExitCode> {
  const run = new Run(argv, surroundings);
  try {
    return await run.start();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    run.report(error);
    return isUsage(error) ? EXIT.usage : EXIT.failure;
  }
}

const isUsage = (error: unknown) => error instanceof TandemError && error.code === 'CONFIG_INVALID';

class Run {
  readonly #argv: readonly string[];
  readonly #surroundings: Surroundings;
  #reading: Reading | undefined;
  #redact: Redact = makeRedact([]);
  #flags: Partial<Record<SettingName, string>> = {};
  #envFile: string | null = null;

  constructor(argv: readonly string[], surroundings: Surroundings) {
    this.#argv = argv;
    this.#surroundings = surroundings;
    closeQuietly(surroundings.stdout);
  }

  async start(): Promise<ExitCode> {
    let exitCode: ExitCode = EXIT.ok;
    const program = this.#program();
    for (const entry of COMMANDS) {
      const command = program.command(entry.name).summary(entry.summary);
      command.description(`${entry.summary}.`);
      // Only what is used is loaded: the rest is known by its summary.
      if (!this.#argv.includes(entry.name)) continue;
      const definition = await entry.load();
      addOptions(command, definition);
      command.action(async () => {
        exitCode = await this.#run(definition, command.opts());
      });
    }
    await program.parseAsync([...this.#argv], { from: 'user' });
    return exitCode;
  }

  report(error: unknown): void {
    const notes = makeOutput(this.#surroundings.stderr, () => this.#redact);
    const level =
      this.#reading?.given.get('LOG_LEVEL')?.text ?? this.#surroundings.environment['LOG_LEVEL'];
    const lines = errorLines(error, { redact: this.#redact, withStack: level === 'debug' });
    for (const line of lines) notes.line(line);
  }

  #program(): Program {
    const { stdout, stderr } = this.#surroundings;
    return new Program('tandem')
      .description(
        'Keeps a re-modelled Supabase database in step with a legacy PostgreSQL database.',
      )
      .version(version(), '-V, --version', 'show the version')
      .helpOption('-h, --help', 'show help')
      .helpCommand('help [command]', 'show help for a command')
      .usage('<command> [options]')
      .showSuggestionAfterError(true)
      .showHelpAfterError('next:  `tandem --help` lists commands and options.')
      .exitOverride()
      .configureOutput({
        writeOut: (text) => void stdout.write(text),
        writeErr: (text) => void stderr.write(text),
      })
      .addHelpText('after', '\nStart with `tandem init`, then `tandem check`.');
  }

  async #run(command: Command, options: Record<string, unknown>): Promise<ExitCode> {
    this.#flags = settingFlags(options);
    this.#envFile = typeof options['envFile'] === 'string' ? options['envFile'] : null;
    const context = createContext({
      streams: this.#surroundings,
      workFolder: this.#surroundings.workFolder,
      reading: () => this.#read(),
      redact: () => this.#redact,
    });
    this.#read();
    try {
      return await command.run(context, options as Flags);
    } finally {
      context.close();
    }
  }

  #read(): Reading {
    if (this.#reading !== undefined) return this.#reading;
    const { environment, workFolder } = this.#surroundings;
    const reading = readSettings({
      flags: this.#flags,
      environment,
      workFolder,
      envFile: this.#envFile,
    });
    const { secrets, visible } = secretsOf(reading);
    this.#redact = makeRedact(secrets, visible);
    this.#reading = reading;
    return reading;
  }
}

/** Every setting is an option of every command. */
function addOptions(command: Program, definition: Command): void {
  for (const { flags, help } of definition.options) {
    command.addOption(new Option(flags, help).helpGroup('Options:'));
  }
  command.addOption(
    new Option('--env-file <file>', 'read settings from this file instead of .env').helpGroup(
      'Settings:',
    ),
  );
  for (const name of SETTING_NAMES) {
    const flags = settingFlag(name);
    if (flags === null) continue;
    const option = new Option(flags, settingInfo(name).help).helpGroup('Settings:');
    command.addOption(OFTEN_USED.has(name) ? option : option.hideHelp());
  }
  const more = 'Every other setting of `tandem config` is an option too, such as --slot <name>.';
  command.addHelpText('after', `\n${more}${definition.details ? `\n\n${definition.details}` : ''}`);
}

function settingFlags(options: Record<string, unknown>): Partial<Record<SettingName, string>> {
  const found: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    const flags = settingFlag(name);
    if (flags === null) continue;
    const value = options[new Option(flags).attributeName()];
    if (typeof value === 'string') found[name] = value;
  }
  return found;
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return (content as { version: string }).version;
}

/** `tandem config | head` closes the pipe early; that is no failure of ours. */
function closeQuietly(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
