import type pg from 'pg';
import { inTransaction } from '../../connectors/postgres/transaction.ts';
import { withdrawAccepted } from '../../consumers/accepted.ts';
import { inactiveStates } from '../../consumers/entity-state.ts';
import { addRootJobs } from '../../consumers/jobs.ts';
import { lockEntity } from '../../consumers/locks.ts';
import type { Entity } from '../../core/entity.ts';
import {
  entitiesOn,
  keysOn,
  whereabouts,
  type RecordListName,
} from '../../monitoring/record-list.ts';
import { awaitJobs } from '../await-jobs.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command, type Context, type ExitCode } from '../command.ts';
import { Engine } from '../engine.ts';
import { timeoutOf } from '../timeout-flag.ts';
import { formatSeconds } from '../units.ts';
import { retryLetters } from '../messages/retry-letters.ts';
import { knownEntity } from './known-entity.ts';
import { STANDING } from './list-words.ts';
import { withRecords } from './open-records.ts';
import { fateLine, type Fate } from './retry-lines.ts';

/** Roots that are to be derived again, of one entity. */
type Wanted = { readonly entity: Entity; readonly keys: readonly string[] };

/** `tandem <list> retry [ENTITY [KEY…]] [--all]`: derives roots of the list again. */
export function retryCommand(list: RecordListName): Command {
  return {
    arguments: [
      {
        name: '[entity]',
        help: `the entity${list === 'quarantine' ? ', or a topic of messages' : ''}; without keys, all that is on the list`,
      },
      {
        name: '[keys...]',
        help: `keys of its roots${list === 'quarantine' ? ', or partition/offset' : ''}, as the list prints them`,
      },
    ],
    options: [
      { flags: '--all', help: 'the rows of every entity' },
      { flags: '--wait', help: 'wait for the process that streams to have done it' },
      { flags: '--timeout <duration>', help: 'how long --wait waits (default 60s)' },
      { flags: '--json', help: 'print JSON' },
    ],
    details:
      'A process that streams does it as a job; where there is none it is done here. A row that fails\n' +
      'again stays where it is, with one attempt more. A changed mapping is read at the start of\n' +
      '`tandem run`: restart it first.' +
      (list === 'quarantine'
        ? '\nA row that was accepted is not accepted any more. A message is read again with the decoder of\n' +
          'now, here and at once, and applied where the mirror has nothing newer.'
        : ''),

    async run(context, flags, [name, keys]) {
      const timeoutMs = timeoutOf(context, flags, '60s');
      if (timeoutMs === null) return EXIT.usage;
      const isAll = flags['all'] === true;
      if (isAll === (typeof name === 'string')) {
        context.notes.line('error: name an entity (and keys), or give --all');
        return EXIT.usage;
      }
      if (list === 'quarantine') {
        const places = typeof keys === 'object' ? keys : [];
        const json = flags['json'] === true;
        const code = await retryLetters(context, {
          topic: isAll ? null : String(name),
          places,
          json,
        });
        if (code !== null && (!isAll || code !== EXIT.ok)) return code;
      }
      const only = typeof name === 'string' ? await knownEntity(context, name) : null;
      if (only === null && !isAll) return EXIT.usage;
      return await withRecords(context, async (target) => {
        const wanted =
          only === null
            ? await everything(context, target, list)
            : await chosen(context, target, list, only, typeof keys === 'object' ? keys : []);
        if (wanted === null || !(await mayBeDerived(context, target, wanted))) return EXIT.failure;
        const ask = {
          list,
          waits: flags['wait'] === true,
          timeoutMs,
          json: flags['json'] === true,
        };
        return await retry(context, target, wanted, ask);
      });
    },
  };
}

async function everything(
  context: Context,
  target: pg.Client,
  list: RecordListName,
): Promise<Wanted[]> {
  const { mapping } = await context.mapping();
  const wanted: Wanted[] = [];
  for (const name of await entitiesOn(target, list)) {
    const keys = await keysOn(target, list, name, null);
    const entity = mapping.entities.find((candidate) => candidate.name === name);
    const reason =
      entity === undefined ? 'the mapping has no such entity' : unrepeatable(list, entity);
    if (entity === undefined || reason !== null) {
      context.notes.line(`left alone: ${keys.length} of ${name}: ${reason}`);
    } else if (keys.length > 0) wanted.push({ entity, keys });
  }
  return wanted;
}

async function chosen(
  context: Context,
  target: pg.Client,
  list: RecordListName,
  entity: Entity,
  keys: readonly string[],
): Promise<Wanted[] | null> {
  const reason = unrepeatable(list, entity);
  if (reason !== null) {
    context.notes.line(`error: ${entity.name} cannot be tried again: ${reason}`);
    return null;
  }
  if (keys.length === 0) {
    const found = await keysOn(target, list, entity.name, null);
    return found.length === 0 ? [] : [{ entity, keys: found }];
  }
  const there = new Set(await keysOn(target, list, entity.name, keys));
  if (list === 'quarantine') {
    for (const key of await keysOn(target, 'accepted', entity.name, keys)) there.add(key);
  }
  const absent = keys.filter((key) => !there.has(key));
  if (absent.length > 0) {
    const what = absent.map((key) => `${entity.name} ${key}`).join(', ');
    context.notes.line(`error: not ${STANDING[list]}: ${what}; nothing was tried`);
    context.notes.line(`next:  tandem ${list} list --entity ${entity.name}`);
    return null;
  }
  return [{ entity, keys: [...there] }];
}

/** Why entries of this kind cannot be derived again; null: they can. */
function unrepeatable(list: RecordListName, entity: Entity): string | null {
  return list === 'quarantine' && entity.kind === 'journal'
    ? 'a journal sees a change once, and keeps nothing of one that was refused; see accept'
    : null;
}

/** A paused or stopped entity is not derived by anybody, and neither is one that is not loaded. */
async function mayBeDerived(
  context: Context,
  target: pg.Client,
  wanted: readonly Wanted[],
): Promise<boolean> {
  const inactive = await inactiveStates(target);
  for (const { entity } of wanted) {
    const state = inactive.get(entity.name);
    if (state === undefined) continue;
    context.notes.line(`error: ${entity.name} is ${state}; nothing was tried`);
    context.notes.line(`next:  tandem resume ${entity.name} sets it going again`);
    return false;
  }
  return true;
}

type Ask = {
  readonly list: RecordListName;
  readonly waits: boolean;
  readonly timeoutMs: number;
  readonly json: boolean;
};

async function retry(
  context: Context,
  target: pg.Client,
  wanted: readonly Wanted[],
  { list, waits, timeoutMs, json }: Ask,
): Promise<ExitCode> {
  const print = (fates: readonly Fate[], line: string | null) => {
    if (json) context.out.line(JSON.stringify({ list, fates }));
    else if (line !== null) context.out.line(line);
    else for (const fate of fates) context.out.line(fateLine(fate));
  };
  if (wanted.length === 0) {
    print([], `none ${STANDING[list]}`);
    return EXIT.ok;
  }
  const engine = await openEngine(context);
  const { tables, entities } = await engine.remaining();
  if (tables.length + entities.length > 0) {
    context.notes.line('error: the backfill is not complete; nothing was tried');
    context.notes.line('next:  tandem run, or tandem backfill');
    return EXIT.failure;
  }
  const jobs = await addJobs(target, list, wanted);
  const start = Date.now();
  const signal = context.stopSignal();
  const asked = { jobs, waits, timeoutMs, hereMs: Infinity, signal };
  const outcome = await awaitJobs(engine, target, asked);
  if (outcome === 'left') {
    const text = wanted.map(({ entity, keys }) => `${keys.length} of ${entity.name}`).join(', ');
    print([], `left to the process that streams: ${text}; see: tandem ${list} list`);
    return EXIT.ok;
  }
  const fates: Fate[] = [];
  for (const { entity, keys } of wanted) {
    fates.push({
      entity: entity.name,
      rows: keys.length,
      ...(await whereabouts(target, entity.name, keys)),
    });
  }
  print(fates, null);
  if (outcome === 'done') return EXIT.ok;
  const waited = formatSeconds((Date.now() - start) / 1000);
  context.notes.line(`not done after ${waited}: the job is open; see: tandem status`);
  return EXIT.notYet;
}

async function openEngine(context: Context): Promise<Engine> {
  const config = await context.config();
  const { mapping } = await context.mapping();
  const observer = await context.observer();
  return Engine.open({ config, mapping, observer, clock: systemClock });
}

/** All of them or none: a decision that is taken back without a job would not be tried. */
async function addJobs(
  target: pg.Client,
  list: RecordListName,
  wanted: readonly Wanted[],
): Promise<string[]> {
  const inOrder = [...wanted].sort((a, b) => (a.entity.name < b.entity.name ? -1 : 1));
  return await inTransaction(target, async () => {
    const ids: string[] = [];
    for (const { entity, keys } of inOrder) {
      if (list === 'quarantine') {
        await lockEntity(target, entity.name);
        await withdrawAccepted(target, entity.name, keys);
      }
      ids.push(...(await addRootJobs(target, entity.name, keys, 'asked for')));
    }
    return ids;
  });
}
