import type pg from 'pg';
import { inactiveEntities } from '../monitoring/entity-states.ts';
import type { JobsFate } from './await-jobs.ts';
import { EXIT, type Context, type ExitCode, type Flags, type Option } from './command.ts';
import { inactiveText } from './status-lines.ts';
import { timeoutOf } from './timeout-flag.ts';
import { formatSeconds } from './units.ts';

export const WAIT_OPTIONS: readonly Option[] = [
  { flags: '--wait', help: 'wait for the process that streams to have done it' },
  { flags: '--timeout <duration>', help: 'how long to wait at most (default: until it is done)' },
];

export type Wait = { readonly waits: boolean; readonly timeoutMs: number };

/** What the options of waiting say; null, after saying so, where they are wrong. */
export function waitOf(context: Context, flags: Flags): Wait | null {
  const timeoutMs = timeoutOf(context, flags, null);
  return timeoutMs === null ? null : { waits: flags['wait'] === true, timeoutMs };
}

/** Says what became of jobs of these entities. */
export async function reportJobs(
  context: Context,
  target: pg.ClientBase,
  asked: {
    readonly timeoutMs: number;
    readonly fate: JobsFate;
    readonly entities: readonly string[];
  },
): Promise<ExitCode> {
  const what = asked.entities.join(', ');
  switch (asked.fate) {
    case 'done':
      context.out.line(`derived again: ${what}`);
      return EXIT.ok;
    case 'left':
      context.out.line(`left to the process that streams: ${what}; see: tandem status`);
      return EXIT.ok;
    case 'open': {
      const waited = Number.isFinite(asked.timeoutMs)
        ? ` after ${formatSeconds(asked.timeoutMs / 1000)}`
        : '';
      context.notes.line(`not done${waited}: the job is open; see: tandem status`);
      return EXIT.notYet;
    }
    case 'stopped':
      for (const one of await inactiveEntities(target)) {
        if (!asked.entities.includes(one.entity)) continue;
        context.notes.line(`error: ${one.entity} is ${inactiveText(one)}; its job waits`);
      }
      context.notes.line('next:  tandem quarantine, then mend what is wrong, then tandem resume');
      return EXIT.failure;
  }
}
