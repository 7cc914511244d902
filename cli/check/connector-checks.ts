import type { CatalogColumn } from '../../connectors/postgres/catalog.ts';
import { shownValue, type ConnectorConfig } from '../../connectors/debezium/connector-secrets.ts';
import { failuresOf, isRunning } from '../../connectors/debezium/connector-status.ts';
import { judgeConfig, type JudgeFacts } from '../../connectors/debezium/judge-config.ts';
import { sightLines, type ConnectorSight } from '../../monitoring/connector-sight.ts';
import { failure, listed, ok, warning, type CheckResult, type Topic } from './result.ts';

type ConnectorFacts = JudgeFacts & {
  readonly sight: ConnectorSight;
  /** Null where there is no such connector, or Connect does not answer. */
  readonly config: ConnectorConfig | null;
  /** Mapped columns as `table.column`, with what the source declares. */
  readonly columns: readonly MappedColumn[];
  /** Whether rows are read again that a message cannot carry. */
  readonly reread: boolean;
};
type MappedColumn = Pick<CatalogColumn, 'mirrorType'> & {
  readonly name: string;
};

const topic = (name: string, why: string): Topic => ({ subject: 'kafka', name, why });
const CONNECTOR = topic(
  'connector',
  'It publishes the changes; while it stands, the source keeps its log.',
);
const SETTING = topic(
  'connector setting',
  'Some settings of a connector lose values or changes without a word.',
);
const CARRIED = topic(
  'values',
  'Not every value of PostgreSQL has a form in a message of Debezium.',
);

/** The deployed connector, and what its messages cannot carry of the mapped tables. */
export function checkConnector(facts: ConnectorFacts): readonly CheckResult[] {
  return [checkState(facts.sight), ...checkSettings(facts), checkColumns(facts)];
}

function checkState(sight: ConnectorSight): CheckResult {
  const [found = '', ...tasks] = sightLines(sight);
  const text = [found.replace(/; next: .*/, ''), ...tasks].join('; ');
  switch (sight.kind) {
    case 'missing':
      return warning(CONNECTOR, `${sight.name} is not deployed`, 'tandem connector deploy');
    case 'unknown':
      return failure(CONNECTOR, text, 'Check CONNECT_URL, and that a worker of Connect is up.');
    case 'there':
      if (failuresOf(sight.status).length > 0) {
        return failure(CONNECTOR, text, 'Mend the reason, then: tandem connector restart');
      }
      return isRunning(sight.status)
        ? ok(CONNECTOR, text)
        : warning(CONNECTOR, text, 'tandem connector resume, or deploy.');
  }
}

function checkSettings(facts: ConnectorFacts): readonly CheckResult[] {
  const { config } = facts;
  if (config === null) return [];
  const faults = judgeConfig(config, facts);
  if (faults.length === 0) return [ok(SETTING, 'all as they must be')];
  return faults.map(({ setting, found, right, why }) =>
    failure(
      { ...SETTING, why: `${why}.` },
      `${setting}: ${shownValue(setting, found)}`,
      `${setting}=${right}; tandem connector deploy sets what is right.`,
    ),
  );
}

function checkColumns({ columns, reread }: ConnectorFacts): CheckResult {
  const uncarried = columns.flatMap((column) => {
    const reason = whyUncarried(column);
    return reason === null ? [] : [`${column.name} (${reason})`];
  });
  if (uncarried.length === 0) return ok(CARRIED, 'all types of the mapped columns are carried');
  if (reread) return ok(CARRIED, `read again from the source where needed: ${listed(uncarried)}`);
  const found = `not always carried: ${listed(uncarried)}`;
  return failure(
    CARRIED,
    found,
    'Set KAFKA_REREAD=true, or leave these columns out of the mapping.',
  );
}

/**
 * Seen with Debezium 3.7: arrays of money, intervals, points and varbit are left out, an array of
 * several dimensions is nulls, one of dates has another date for infinity; a time with time zone
 * loses its zone.
 */
function whyUncarried({ mirrorType }: MappedColumn): string | null {
  if (mirrorType.endsWith('[]')) return 'an array';
  return /^time(\(\d\))? with time zone$/.test(mirrorType) ? 'a time with time zone' : null;
}
