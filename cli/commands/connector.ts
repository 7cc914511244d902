import type { CommandGroup } from '../command.ts';

/** `tandem connector plan|deploy|status|restart|pause|resume|delete`: Debezium in Kafka Connect. */
export const connector: CommandGroup = {
  commands: [
    {
      name: 'plan',
      summary: 'Print the configuration, and how the deployed one differs',
      load: async () => (await import('../connector/plan-command.ts')).plan,
    },
    {
      name: 'deploy',
      summary: 'Make topics and connector, and wait until it reads the slot',
      load: async () => (await import('../connector/deploy-command.ts')).deployCommand,
    },
    {
      name: 'status',
      summary: 'Show connector and task, who reads the slot, and how far it has come',
      isDefault: true,
      load: async () => (await import('../connector/status-command.ts')).statusCommand,
    },
    {
      name: 'restart',
      summary: 'Start connector and task anew',
      load: async () => (await import('../connector/simple-commands.ts')).restartCommand,
    },
    {
      name: 'pause',
      summary: 'Let it publish nothing for a while',
      load: async () => (await import('../connector/simple-commands.ts')).pauseCommand,
    },
    {
      name: 'resume',
      summary: 'Let it go on',
      load: async () => (await import('../connector/simple-commands.ts')).resumeCommand,
    },
    {
      name: 'delete',
      summary: 'Take it away; the slot stays, so that another reader can go on there',
      load: async () => (await import('../connector/delete-command.ts')).deleteCommand,
    },
  ],
};
