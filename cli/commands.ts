import type { CommandEntry } from './command.ts';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    group: 'To begin:',
    summary: 'Write a commented .env and a first list of legacy tables',
    load: async () => (await import('./commands/init.ts')).init,
  },
  {
    name: 'config',
    group: 'To begin:',
    summary: 'Show every setting, its value and where it came from',
    load: async () => (await import('./commands/config.ts')).config,
  },
  {
    name: 'check',
    group: 'To begin:',
    summary: 'Find what is missing on both sides, and what mends it',
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'setup',
    group: 'To run:',
    summary: 'Make schemas, target migrations, publication and slot',
    load: async () => (await import('./commands/setup.ts')).setup,
  },
  {
    name: 'backfill',
    group: 'To run:',
    summary: 'Load the mirror and derive all entities',
    load: async () => (await import('./commands/backfill.ts')).backfill,
  },
  {
    name: 'run',
    group: 'To run:',
    summary: 'The main job: set up and load what is missing, then stream',
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'status',
    group: 'To watch:',
    summary: 'Show phase, lag, positions, and what became of the rows',
    load: async () => (await import('./commands/status.ts')).status,
  },
  {
    name: 'verify',
    group: 'To watch:',
    summary: 'Prove that the target holds what the source holds, while both change',
    load: async () => (await import('./commands/verify.ts')).verify,
  },
  {
    name: 'connector',
    group: 'Through Kafka:',
    summary: 'The Debezium connector: plan, deploy, status, restart, pause, resume, delete',
    load: async () => (await import('./commands/connector.ts')).connector,
  },
  {
    name: 'relay',
    group: 'Through Kafka:',
    summary: 'Publish the slot in Kafka, as Debezium would, until stopped',
    load: async () => (await import('./commands/relay.ts')).relay,
  },
  {
    name: 'pause',
    group: 'Entities:',
    summary: 'Stop deriving entities; all else goes on',
    load: async () => (await import('./commands/pause.ts')).pause,
  },
  {
    name: 'resume',
    group: 'Entities:',
    summary: 'Let paused or stopped entities go on, and derive what they missed',
    load: async () => (await import('./commands/resume.ts')).resume,
  },
  {
    name: 'reprocess',
    group: 'Entities:',
    summary: 'Derive rows again from the mirror, or show what that would change',
    load: async () => (await import('./commands/reprocess.ts')).reprocess,
  },
  {
    name: 'quarantine',
    group: 'Rows that were not simply applied:',
    summary:
      'Rows that were refused, and messages that nobody could read: list, show, retry, accept',
    load: async () => (await import('./commands/quarantine.ts')).quarantine,
  },
  {
    name: 'held',
    group: 'Rows that were not simply applied:',
    summary: 'Rows that wait for a parent: list, show, retry',
    load: async () => (await import('./commands/held.ts')).held,
  },
  {
    name: 'unresolved',
    group: 'Rows that were not simply applied:',
    summary: 'References that are null until their parent arrives: list, show, retry',
    load: async () => (await import('./commands/unresolved.ts')).unresolved,
  },
  {
    name: 'issues',
    group: 'Rows that were not simply applied:',
    summary: 'What should be known about values that were applied: list, show, retry',
    load: async () => (await import('./commands/issues.ts')).issues,
  },
  {
    name: 'teardown',
    group: 'To end:',
    summary: 'Drop slot and publication; the data of the target stay',
    load: async () => (await import('./commands/teardown.ts')).teardown,
  },
];
