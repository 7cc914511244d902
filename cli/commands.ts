import type { Command } from './command.ts';

/** A command as the help lists it; its module is loaded when it is used. */
export type CommandEntry = {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
};

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'Write a commented .env and a first list of legacy tables',
    load: async () => (await import('./commands/init.ts')).init,
  },
  {
    name: 'config',
    summary: 'Show every setting, its value and where it came from',
    load: async () => (await import('./commands/config.ts')).config,
  },
];
