import { MESSAGE_PREFIXES } from './connector-config.ts';
import { shownValue, type ConnectorConfig } from './connector-secrets.ts';
import { modesOf } from './mode-settings.ts';
import { lossyModes } from './value-modes.ts';

/** What is wrong with a deployed connector: the setting, what it is, what it should be, and why. */
export type ConfigFault = {
  readonly setting: string;
  readonly found: string;
  readonly right: string;
  readonly why: string;
};

/** What the connector has to fit. */
export type JudgeFacts = {
  readonly slot: string;
  readonly publication: string;
  readonly prefix: string;
  readonly backfillFrom: 'source' | 'log';
  /** Mapped tables with their mapped columns. */
  readonly tables: readonly {
    readonly schema: string;
    readonly relation: string;
    readonly columns: readonly string[];
  }[];
};

type Rule = {
  readonly setting: string;
  /** Debezium's default, which holds where the setting is absent. */
  readonly default: string;
  /** The first one is the best. */
  readonly right: readonly string[];
  readonly why: string;
};

const RULES: readonly Rule[] = [
  {
    setting: 'unavailable.value.placeholder',
    default: '__debezium_unavailable_value',
    right: ['__debezium_unavailable_value'],
    why: 'it says that a large value was not changed',
  },
  {
    setting: 'skipped.operations',
    default: 't',
    right: ['none'],
    why: 'changes of that kind never arrive',
  },
  {
    setting: 'tombstones.on.delete',
    default: 'true',
    right: ['true'],
    why: 'a compacted topic would keep what was deleted',
  },
  {
    setting: 'skip.messages.without.change',
    default: 'false',
    right: ['false'],
    why: 'it compares with values that it may not have',
  },
  {
    setting: 'event.processing.failure.handling.mode',
    default: 'fail',
    right: ['fail'],
    why: 'what cannot be processed would be left out',
  },
  {
    setting: 'errors.tolerance',
    default: 'none',
    right: ['none'],
    why: 'what cannot be converted would be left out',
  },
  {
    setting: 'topic.naming.strategy',
    default: 'io.debezium.schema.SchemaTopicNamingStrategy',
    right: ['io.debezium.schema.SchemaTopicNamingStrategy'],
    why: 'the topics are looked for under their usual names',
  },
];

/** They change what a message says, or leave some out. */
const ABSENT: readonly { readonly setting: RegExp; readonly why: string }[] = [
  { setting: /^transforms$/, why: 'transformations change the envelope' },
  { setting: /^post\.processors$/, why: 'they change the envelope' },
  { setting: /^converters$/, why: 'they change values' },
  { setting: /^message\.key\.columns$/, why: 'rows are known by their primary key' },
  { setting: /^column\.(mask|truncate)\./, why: 'it changes values' },
  { setting: /^replica\.identity\.autoset\.values$/, why: 'it alters tables of the source' },
];

/** All that a deployed connector would lose or do wrong; empty where it carries every change. */
export function judgeConfig(config: ConnectorConfig, facts: JudgeFacts): readonly ConfigFault[] {
  return [
    ...lossyModes(modesOf(config)).map(({ setting, value, better, why }) => ({
      ...{ setting, right: better, why },
      found: config[setting] === undefined ? `${value} (default)` : value,
    })),
    ...[...ours(facts), ...RULES, ...converterRules(config)].flatMap((rule) =>
      judgeRule(config, rule),
    ),
    ...Object.entries(config).flatMap(([setting, value]) => {
      const rule = ABSENT.find((it) => it.setting.test(setting));
      if (rule === undefined || value.trim() === '') return [];
      return [{ setting, found: shownValue(setting, value), right: 'none', why: rule.why }];
    }),
    ...judgeLists(config, facts),
  ];
}

/** Slot and publication are made by Tandem, and judged by it. */
function ours({ slot, publication, prefix, backfillFrom }: JudgeFacts): readonly Rule[] {
  const rule = (setting: string, standard: string, right: string, why: string): Rule => ({
    ...{ setting, default: standard, right: [right], why },
  });
  return [
    rule('plugin.name', 'decoderbufs', 'pgoutput', 'the slot was made for it'),
    rule('slot.name', 'debezium', slot, 'it is the slot that the target was loaded from'),
    rule('slot.drop.on.stop', 'false', 'false', 'without the slot, changes are lost'),
    rule('publication.name', 'dbz_publication', publication, 'it has the mapped tables'),
    rule('publication.autocreate.mode', 'all_tables', 'disabled', 'it would alter the publication'),
    // Where the log is loaded from, its snapshot is there: how the connector would begin is no matter.
    ...(backfillFrom === 'log' ? [] : [SNAPSHOT]),
    rule('topic.prefix', '', prefix, 'the topics are looked for under KAFKA_TOPIC_PREFIX'),
  ];
}

const SNAPSHOT: Rule = {
  setting: 'snapshot.mode',
  default: 'initial',
  right: ['no_data'],
  why: 'Tandem loads the tables itself; a snapshot reads all of them once more',
};

/** By default it writes in a form of its own, which only its own readers know. */
function converterRules(config: ConnectorConfig): readonly Rule[] {
  if (config['value.converter']?.startsWith('io.apicurio.') !== true) return [];
  const rule = (name: string, standard: string, right: string, why: string): Rule => ({
    setting: `value.converter.apicurio.registry.${name}`,
    ...{ default: standard, right: [right], why },
  });
  return [
    rule('as-confluent', 'false', 'true', 'the id of the schema is looked for in four bytes'),
    rule('headers.enabled', 'true', 'false', 'the id of the schema is looked for in the message'),
    rule('use-id', 'globalId', 'contentId', 'the schema is asked for by this id'),
  ];
}

function judgeRule(config: ConnectorConfig, rule: Rule): readonly ConfigFault[] {
  const { setting, default: standard, right, why } = rule;
  const found = config[setting] ?? standard;
  if (right.includes(found)) return [];
  const isDefault = config[setting] === undefined;
  return [{ setting, found: isDefault ? `${found} (default)` : found, right: right[0] ?? '', why }];
}

/** What the lists of names leave out: tables, columns, and our own messages. */
function judgeLists(config: ConnectorConfig, { tables }: JudgeFacts): readonly ConfigFault[] {
  const full = ({ schema, relation }: (typeof tables)[number]) => `${schema}.${relation}`;
  const columns = tables.flatMap((table) => table.columns.map((name) => `${full(table)}.${name}`));
  const kinds = [
    { kind: 'schema', names: [...new Set(tables.map(({ schema }) => schema))] },
    { kind: 'table', names: tables.map(full) },
    { kind: 'column', names: columns },
    { kind: 'message.prefix', names: ['tandem.heartbeat', 'tandem.mark'] },
  ];
  return kinds.flatMap(({ kind, names }) => [
    ...missingFrom(config, `${kind}.include.list`, names),
    ...caughtBy(config, `${kind}.exclude.list`, names),
  ]);
}

function missingFrom(
  config: ConnectorConfig,
  setting: string,
  names: readonly string[],
): readonly ConfigFault[] {
  const list = config[setting]?.trim() ?? '';
  if (list === '') return [];
  const patterns = patternsOf(list);
  const missing = names.filter((name) => !patterns.some((pattern) => pattern.test(name)));
  if (missing.length === 0) return [];
  const right = setting.startsWith('message') ? MESSAGE_PREFIXES : 'a list with them, or none';
  return [
    { setting, found: `not in it: ${few(missing)}`, right, why: 'their changes are missing' },
  ];
}

function caughtBy(
  config: ConnectorConfig,
  setting: string,
  names: readonly string[],
): readonly ConfigFault[] {
  const patterns = patternsOf(config[setting]?.trim() ?? '');
  const caught = names.filter((name) => patterns.some((pattern) => pattern.test(name)));
  if (caught.length === 0) return [];
  const why = 'their changes are missing';
  return [{ setting, found: `in it: ${few(caught)}`, right: 'a list without them', why }];
}

/** Java's regular expressions, for whole names, between commas that no `\` stands before. */
function patternsOf(list: string): readonly RegExp[] {
  return list
    .split(/(?<!\\),/)
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .flatMap((text) => {
      try {
        return [new RegExp(`^(?:${text})$`, 'i')];
      } catch {
        return []; // one that only Java understands matches nothing that we could tell
      }
    });
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length <= 5 ? shown : `${shown} and ${names.length - 5} more`;
}
