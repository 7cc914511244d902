import type { CommandEntry } from './command.ts';

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
  {
    name: 'check',
    summary: 'Find what is missing on both sides, and what mends it',
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'setup',
    summary: 'Make schemas, target migrations, publication and slot',
    load: async () => (await import('./commands/setup.ts')).setup,
  },
  {
    name: 'backfill',
    summary: 'Load the mirror and derive all entities',
    load: async () => (await import('./commands/backfill.ts')).backfill,
  },
  {
    name: 'run',
    summary: 'The main job: set up and load what is missing, then stream until stopped',
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'relay',
    summary: 'Publish the slot in Kafka, as Debezium would, until stopped',
    load: async () => (await import('./commands/relay.ts')).relay,
  },
  {
    name: 'status',
    summary: 'Show phase, lag, positions, and what became of the rows',
    load: async () => (await import('./commands/status.ts')).status,
  },
  {
    name: 'pause',
    summary: 'Stop deriving entities; their mirror tables and everything else go on',
    load: async () => (await import('./commands/pause.ts')).pause,
  },
  {
    name: 'resume',
    summary: 'Let paused or stopped entities go on, and derive what they missed',
    load: async () => (await import('./commands/resume.ts')).resume,
  },
  {
    name: 'reprocess',
    summary: 'Derive rows again from the mirror, or show what that would change',
    load: async () => (await import('./commands/reprocess.ts')).reprocess,
  },
  {
    name: 'quarantine',
    summary: 'Rows that the mapping or the target refused: list, show, retry, accept',
    load: async () => (await import('./commands/quarantine.ts')).quarantine,
  },
  {
    name: 'held',
    summary: 'Rows that wait for a parent: list, show, retry',
    load: async () => (await import('./commands/held.ts')).held,
  },
  {
    name: 'unresolved',
    summary: 'References that are null until their parent arrives: list, show, retry',
    load: async () => (await import('./commands/unresolved.ts')).unresolved,
  },
  {
    name: 'issues',
    summary: 'What should be known about values that were applied: list, show, retry',
    load: async () => (await import('./commands/issues.ts')).issues,
  },
  {
    name: 'verify',
    summary: 'Prove that the mirror holds what the source holds, while both change',
    load: async () => (await import('./commands/verify.ts')).verify,
  },
  {
    name: 'connector',
    summary: 'The Debezium connector: plan, deploy, status, restart, pause, resume, delete',
    load: async () => (await import('./commands/connector.ts')).connector,
  },
  {
    name: 'teardown',
    summary: 'Drop slot and publication; the data of the target stay',
    load: async () => (await import('./commands/teardown.ts')).teardown,
  },
];
