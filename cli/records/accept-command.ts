import type pg from 'pg';
import { inTransaction } from '../../connectors/postgres/transaction.ts';
import { acceptRoots } from '../../consumers/accepted.ts';
import { lockEntity } from '../../consumers/locks.ts';
import type { Entity } from '../../core/entity.ts';
import { keysOn, readRecords } from '../../monitoring/record-list.ts';
import { EXIT, type Command, type Context, type ExitCode } from '../command.ts';
import { didYouMean } from '../similar.ts';
import { formatCount } from '../units.ts';
import { knownEntity } from './known-entity.ts';
import { acceptMessages } from '../messages/accept-messages.ts';
import { isTopicOfLetters } from '../messages/given-places.ts';
import { textFlag } from './list-command.ts';
import { withRecords } from './open-records.ts';

/** `tandem quarantine accept ENTITY KEY… --reason "…"`: leaves refused rows out, by a person's decision. */
export const accept: Command = {
  arguments: [
    { name: '[entity]', help: 'the entity, or a topic of messages that nobody could read' },
    { name: '[keys...]', help: 'keys of its roots, or partition/offset, as the list prints them' },
  ],
  options: [
    { flags: '--reason <text>', help: 'why; kept with the decision. No values of persons' },
    { flags: '--all', help: 'all rows of --entity with --code, instead of an entity and keys' },
    { flags: '--entity <entity>', help: 'with --all: of this entity' },
    { flags: '--code <code>', help: 'with --all: refused with this kind of error' },
    { flags: '--yes', help: 'with --all: do not ask' },
  ],
  details:
    'An accepted row counts as excluded, under `accepted: CODE`. The decision holds for the version that\n' +
    'was refused: a change of the source row has it tried again. Nothing in the target changes; a row of\n' +
    'an earlier version stays.',

  async run(context, flags, [name, given]) {
    const keys: readonly string[] = typeof given === 'object' ? given : [];
    const isAll = flags['all'] === true;
    const code = textFlag(flags, 'code');
    const of = isAll ? textFlag(flags, 'entity') : name;
    const problem = whatIsWrong({
      isAll,
      reason: textFlag(flags, 'reason'),
      of,
      keys,
      code,
      flags,
      name,
    });
    if (problem !== null || typeof of !== 'string') {
      context.notes.line(`error: ${problem ?? 'name an entity'}`);
      return EXIT.usage;
    }
    const because = (textFlag(flags, 'reason') ?? '').trim();
    const ofTopic = await withRecords(context, async (target) =>
      !isAll && (await isTopicOfLetters(context, target, of))
        ? await acceptMessages(context, target, { topic: of, places: keys, reason: because })
        : null,
    );
    if (ofTopic !== null) return ofTopic;
    const entity = await knownEntity(context, of);
    if (entity === null) return EXIT.usage;
    return await withRecords(context, async (target) => {
      if (isAll) {
        const stop = await askForAll(context, target, entity, code ?? '', flags['yes'] === true);
        if (stop !== null) return stop;
        return await acceptAndTell(context, target, { entity, keys: null, code, reason: because });
      }
      const there = new Set(await keysOn(target, 'quarantine', entity.name, keys));
      const absent = keys.filter((key) => !there.has(key));
      if (absent.length > 0) {
        const what = absent.map((key) => `${entity.name} ${key}`).join(', ');
        context.notes.line(`error: not in quarantine: ${what}; nothing was accepted`);
        context.notes.line(`next:  tandem quarantine list --entity ${entity.name}`);
        return EXIT.failure;
      }
      return await acceptAndTell(context, target, {
        entity,
        keys: [...there],
        code: null,
        reason: because,
      });
    });
  },
};

function whatIsWrong(given: {
  readonly isAll: boolean;
  readonly reason: string | null;
  readonly of: unknown;
  readonly keys: readonly string[];
  readonly code: string | null;
  readonly name: unknown;
  readonly flags: Readonly<Record<string, unknown>>;
}): string | null {
  const { isAll, reason, of, keys, code, name, flags } = given;
  if ((reason ?? '').trim() === '') return 'say why: --reason "…"';
  if (isAll && name !== undefined)
    return 'either an entity with keys, or --all --entity … --code …';
  if (isAll && (typeof of !== 'string' || code === null)) {
    return '--all takes --entity and --code: one decision for one kind of refusal';
  }
  if (!isAll && (typeof of !== 'string' || keys.length === 0)) {
    return 'name an entity and keys, or --all --entity … --code …';
  }
  if (!isAll && (code !== null || flags['entity'] !== undefined)) {
    return '--entity and --code go with --all';
  }
  return null;
}

/** Null: go on. */
async function askForAll(
  context: Context,
  target: pg.Client,
  entity: Entity,
  code: string,
  isSure: boolean,
): Promise<ExitCode | null> {
  const filter = { entity: entity.name, reason: null, since: null, limit: 1 };
  const { counts } = await readRecords(target, 'quarantine', filter);
  const found = counts.find(({ reason }) => reason === code);
  if (found === undefined) {
    const near = didYouMean(
      code,
      counts.map(({ reason }) => reason),
    );
    const question = near === null ? '' : `; did you mean ${near}?`;
    context.notes.line(`error: no row of ${entity.name} was refused with ${code}${question}`);
    return EXIT.failure;
  }
  if (isSure) return null;
  const question = `Leave ${formatCount(found.rows)} rows of ${entity.name} out that were refused with ${code}?`;
  const answer = await context.confirm(question);
  if (answer === true) return null;
  if (answer === false) {
    context.out.line('nothing was accepted');
    return EXIT.ok;
  }
  context.notes.line(
    `error: ${formatCount(found.rows)} rows would be left out, and there is nobody to ask`,
  );
  context.notes.line('next:  add --yes');
  return EXIT.usage;
}

async function acceptAndTell(
  context: Context,
  target: pg.Client,
  decision: {
    readonly entity: Entity;
    readonly keys: readonly string[] | null;
    readonly code: string | null;
    readonly reason: string;
  },
): Promise<ExitCode> {
  const { entity, keys, code, reason } = decision;
  const accepted = await inTransaction(target, async () => {
    await lockEntity(target, entity.name);
    const isCounted = entity.kind === 'derived';
    return await acceptRoots(target, {
      ...{ entity: entity.name, keys, code, reason, isCounted },
    });
  });
  const codes = [...new Set(accepted.map((it) => it.code))].join(', ');
  context.out.line(
    `accepted ${formatCount(accepted.length)} of ${entity.name} (${codes}); see: tandem quarantine list --accepted`,
  );
  return EXIT.ok;
}
