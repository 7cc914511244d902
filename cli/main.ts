import { Command as Program, CommanderError, Option } from 'commander';
import { TandemError } from '../core/errors.ts';
import {
  EXIT,
  type Arguments,
  type Command,
  type CommandEntry,
  type ExitCode,
  type Flags,
} from './command.ts';
import { COMMANDS } from './commands.ts';
import { SETTING_NAMES, settingFlag, settingInfo, type SettingName } from './config.ts';
import { createContext, makeOutput, type Streams } from './context.ts';
import type { ImportModule } from './load-mapping.ts';
import { errorLines } from './print-error.ts';
import { readSettings, secretsOf, type Reading } from './read-settings.ts';
import { makeRedact, type Redact } from './redact.ts';
import { didYouMean } from './similar.ts';
import { tandemVersion } from './version.ts';

type Surroundings = Streams & {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workFolder: string;
  readonly importMapping: ImportModule;
};

const ofProcess = (): Surroundings => ({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  workFolder: process.cwd(),
  importMapping: (url) => import(url),
});

/** Settings that `--help` lists; every other one is an option too. */
const OFTEN_USED: ReadonlySet<SettingName> = new Set([
  'SOURCE_URL',
  'TARGET_URL',
  'MAPPING',
  'LOG_LEVEL',
]);

/**
 * Runs one command line and returns the exit code. Nothing is thrown. What is not given of the
 * surroundings is the process's own.
 */
export async function main(
  argv: readonly string[],
  given: Partial<Surroundings> = {},
): Promise<ExitCode> {
  const run = new Run(argv, { ...ofProcess(), ...given });
  try {
    return await run.start();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    run.report(error);
    return isUsage(error) ? EXIT.usage : EXIT.failure;
  }
}

const isUsage = (error: unknown) =>
  error instanceof TandemError &&
  ['CONFIG_INVALID', 'KEY_MALFORMED', 'CONDITION_INVALID'].includes(error.code);

class Run {
  readonly #argv: readonly string[];
  readonly #surroundings: Surroundings;
  #reading: Reading | undefined;
  #redact: Redact = makeRedact([]);
  #flags: Partial<Record<SettingName, string>> = {};
  #envFile: string | null = null;
  #exitCode: ExitCode = EXIT.ok;

  constructor(argv: readonly string[], surroundings: Surroundings) {
    this.#argv = argv;
    this.#surroundings = surroundings;
    closeQuietly(surroundings.stdout);
  }

  async start(): Promise<ExitCode> {
    const program = this.#program();
    for (const entry of COMMANDS) await this.#add(program, entry);
    await program.parseAsync([...this.#argv], { from: 'user' });
    return this.#exitCode;
  }

  async #add(parent: Program, entry: CommandEntry): Promise<void> {
    const command = parent.command(entry.name, { isDefault: entry.isDefault === true });
    command.summary(entry.summary).description(`${entry.summary}.`);
    if (entry.group !== undefined) command.helpGroup(entry.group);
    // Only what is used is loaded: the rest is known by its summary.
    if (entry.isDefault !== true && !this.#argv.includes(entry.name)) return;
    const definition = await entry.load();
    if ('commands' in definition) {
      command.usage('[command] [options]').helpCommand(false);
      for (const inner of definition.commands) await this.#add(command, inner);
      const usual = definition.commands.find((inner) => inner.isDefault === true)?.name;
      if (usual !== undefined) command.addHelpText('after', `\nWithout a command: ${usual}.`);
      command.addHelpText('after', OF_EVERY_COMMAND);
      return;
    }
    addOptions(command, definition);
    const given = definition.arguments ?? [];
    for (const { name, help } of given) command.argument(name, help);
    // `tandem held lst` is meant for a command of the group, not as an argument of the usual one.
    if (entry.isDefault === true) command.allowExcessArguments();
    command.action(async (...values: unknown[]) => {
      const surplus = command.args[given.length];
      if (entry.isDefault === true && surplus !== undefined) refuseCommand(parent, surplus);
      const texts = values.slice(0, given.length) as Arguments;
      this.#exitCode = await this.#run(definition, command.opts(), texts);
    });
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
      .version(tandemVersion(), '-V, --version', 'show the version')
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

  async #run(
    command: Command,
    options: Record<string, unknown>,
    given: Arguments,
  ): Promise<ExitCode> {
    this.#flags = settingFlags(options);
    this.#envFile = typeof options['envFile'] === 'string' ? options['envFile'] : null;
    const context = createContext({
      streams: this.#surroundings,
      workFolder: this.#surroundings.workFolder,
      importMapping: this.#surroundings.importMapping,
      reading: () => this.#read(),
      redact: () => this.#redact,
    });
    this.#read();
    try {
      return await command.run(context, options as Flags, given);
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

function refuseCommand(group: Program, name: string): never {
  const near = didYouMean(
    name,
    group.commands.map((command) => command.name()),
  );
  const question = near === null ? '' : `\n(Did you mean ${near}?)`;
  return group.error(`error: unknown command '${name}'${question}`);
}

const OF_EVERY_COMMAND =
  '\nEach of them takes --env-file <file> and every setting of `tandem config`, such as --slot <name>.';

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

/** `tandem config | head` closes the pipe early; that is no failure of ours. */
function closeQuietly(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
