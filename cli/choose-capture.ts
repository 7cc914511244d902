import { createHash } from 'node:crypto';
import type { Mapping } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import type { Observer } from '../core/ports.ts';
import { readUsages } from '../core/usage.ts';
import { systemClock } from './clock.ts';
import type { Flags } from './command.ts';
import type { Config } from './config.ts';
import { briefly } from './connector/connect-of.ts';
import { watchConnector } from './connector/watch-connector.ts';
import { kafkaCapture, type Share } from './kafka-capture.ts';
import type { LogCapture } from './log-capture.ts';

/** How the changes come, as `--from` says. */
type Capture = {
  readonly through: 'slot' | 'log';
  /** As the engine takes it. */
  readonly log: { readonly log?: LogCapture; readonly rereadLog?: boolean };
  /** Watches, until `signal` aborts, whoever writes the log. */
  readonly follow: (observer: Observer, signal: AbortSignal) => Promise<void>;
};

const KAFKA_ONLY = [
  ['topics', '--topics'],
  ['entities', '--entities'],
  ['rereadLog', '--reread-log'],
] as const;

/** @throws TandemError `CONFIG_INVALID` with the option that is wrong */
export function chooseCapture(
  config: Config,
  mapping: Mapping,
  flags: Flags,
  observer: Observer,
): Capture {
  const from = flags['from'] ?? 'direct';
  if (from === 'direct') {
    const given = KAFKA_ONLY.find(([name]) => flags[name] !== undefined);
    if (given !== undefined) throw wrong(given[1], 'is for --from kafka');
    return { through: 'slot', log: {}, follow: () => Promise.resolve() };
  }
  if (from !== 'kafka') throw wrong('--from', 'must be direct or kafka');
  const { kafka } = config;
  if (kafka === null) throw wrong('KAFKA_BROKERS', 'is needed for --from kafka');
  const share = shareOf(mapping, kafka.group, flags);
  return {
    through: 'log',
    log: {
      log: kafkaCapture(kafka, mapping, share, observer),
      rereadLog: flags['rereadLog'] === true,
    },
    follow: async (observer, signal) => {
      if (kafka.connect === null) return;
      const { connector } = kafka.connect;
      const rest = briefly(kafka.connect);
      await watchConnector({ rest, connector, observer, clock: systemClock, signal });
    },
  };
}

/**
 * Members of one group read the same topics. So whoever reads some of them only is a group of its
 * own, which is the same one for the same tables in whatever order.
 */
function shareOf(mapping: Mapping, group: string, flags: Flags): Share {
  const tables = new Set([...topicTables(mapping, flags), ...entityTables(mapping, flags)]);
  if (tables.size === 0) return { tables: null, group };
  const names = [...tables].sort().join(',');
  const suffix = createHash('sha256').update(names).digest('hex').slice(0, 8);
  return { tables, group: `${group}-${suffix}` };
}

const listOf = (flag: string | true | undefined): readonly string[] =>
  typeof flag === 'string' ? flag.split(',').map((name) => name.trim()) : [];

function topicTables(mapping: Mapping, flags: Flags): readonly string[] {
  const known = readUsages(mapping).tables;
  return listOf(flags['topics']).map((name) => {
    if (!known.has(name)) throw wrong('--topics', `${name} is no table that the mapping reads`);
    return name;
  });
}

function entityTables(mapping: Mapping, flags: Flags): readonly string[] {
  return listOf(flags['entities']).map((name) => {
    const entity = mapping.entities.find((candidate) => candidate.name === name);
    if (entity === undefined) throw wrong('--entities', `the mapping has no entity ${name}`);
    return entity.shape.table.name;
  });
}

const wrong = (setting: string, problem: string) =>
  new TandemError('CONFIG_INVALID', { setting, problem });
