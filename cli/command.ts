import type { Observer } from '../core/ports.ts';
import type { Config } from './config.ts';
import type { LoadedMapping } from './load-mapping.ts';
import type { Reading } from './read-settings.ts';

/** Exit codes, for scripts. docs/operations.md explains each one. */
export const EXIT = {
  ok: 0,
  /** It was tried and did not work; the error says why and what to do. */
  failure: 1,
  /** The command line or the configuration is wrong; nothing was tried. */
  usage: 2,
  /** What was asked for is not so yet (not caught up); ask again later. */
  notYet: 3,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Where lines go. Results go to stdout, everything else to stderr. */
export type Output = {
  line(text?: string): void;
  /** A terminal, with a person in front of it. */
  readonly isTerminal: boolean;
};

/** What a command works with. All of it is made when first asked for. */
export type Context = {
  /** Results. A test reads its lines. */
  readonly out: Output;
  /** Notes to a person; never needed by a script. */
  readonly notes: Output;
  readonly workFolder: string;
  /** Every setting as it was given, right or wrong. */
  readonly reading: () => Reading;
  /** @throws TandemError `CONFIG_INVALID` */
  readonly config: () => Promise<Config>;
  /** @throws TandemError `MAPPING_INVALID` */
  readonly mapping: () => Promise<LoadedMapping>;
  /** The log and the progress display of this run. */
  readonly observer: () => Promise<Observer>;
  /** Aborts at the first SIGINT or SIGTERM after this call; a second one ends the process at once. */
  readonly stopSignal: () => AbortSignal;
  /** Asks a yes-or-no question; null where there is nobody to ask. */
  readonly confirm: (question: string) => Promise<boolean | null>;
};

/** An option of one command, beside the settings, which every command takes. */
export type Option = {
  /** As commander reads it: `--json`, `--only <entity,…>`. */
  readonly flags: string;
  readonly help: string;
};
/** By camel-case name: true for a switch, the text for an option with a value. */
export type Flags = Readonly<Record<string, string | true | undefined>>;

/** What stands behind a command's name without dashes, as commander reads it: `<entity>`, `[key...]`. */
type Argument = { readonly name: string; readonly help: string };
/** In the order of the command's `arguments`; a list where it may be given several times. */
export type Arguments = readonly (string | readonly string[] | undefined)[];

/** A command is a value: options, one `run`, an exit code. Its name stands in cli/commands.ts. */
export type Command = {
  readonly options: readonly Option[];
  readonly arguments?: readonly Argument[];
  /** Shown under the options by `--help`. */
  readonly details?: string;
  run(context: Context, flags: Flags, given: Arguments): Promise<ExitCode>;
};

/** A command as the help lists it; its module is loaded when it is used. */
export type CommandEntry = {
  readonly name: string;
  readonly summary: string;
  /** The heading that it stands under in the help. */
  readonly group?: string;
  /** Meant where a group is named alone. */
  readonly isDefault?: true;
  readonly load: () => Promise<Command | CommandGroup>;
};

/** Commands under one name: `tandem held list`. */
export type CommandGroup = { readonly commands: readonly CommandEntry[] };
