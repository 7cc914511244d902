import { expect, test } from 'vitest';
import { filledMetrics } from '../harness/filled-metrics.ts';

// The rules of `promtool check metrics`, which .ci/run asks too, for machines that do not have it.

type Family = {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labels: ReadonlySet<string>;
};

const NOT_BASE =
  /(^|_)(nanos|micros|millis|milli|micro|nano|kilo|mega|giga)?(milliseconds|microseconds|nanoseconds|minutes|hours|days|weeks|kilobytes|megabytes|gigabytes|bits|percent|kelvin|fahrenheit)(_|$)/;
const ABBREVIATED = /_(s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d)(_|$)/;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped', 'info'];

function complaints({ name, help, type, labels }: Family): string[] {
  const found: string[] = [];
  const say = (text: string) => found.push(`${name}: ${text}`);
  const words = name.split('_');
  if (help === '') say('no help');
  if (NOT_BASE.test(name)) say('not the base unit');
  if (ABBREVIATED.test(name)) say('an abbreviated unit');
  if (name.includes(':')) say("':' is for recording rules");
  if (/[A-Z]/.test(name)) say('not in snake_case');
  if (type === 'counter' && !name.endsWith('_total')) say('a counter without _total');
  if (type !== 'counter' && name.endsWith('_total')) say('_total, and no counter');
  if (type !== 'histogram' && type !== 'summary' && /_(count|sum|bucket)$/.test(name)) {
    say('a reserved ending');
  }
  if (TYPES.slice(0, 5).some((word) => words.includes(word))) say('its type is in its name');
  if (type !== 'histogram' && labels.has('le')) say('the label le is reserved');
  if (type !== 'summary' && labels.has('quantile')) say('the label quantile is reserved');
  for (const label of labels) if (/[A-Z]/.test(label)) say(`label ${label} is not in snake_case`);
  return found;
}

/** Families of the text format. */
function familiesOf(text: string): Family[] {
  return text
    .split(/^(?=# HELP )/m)
    .filter((block) => block.startsWith('# HELP '))
    .map((block) => {
      const [, name = '', help = ''] = /^# HELP (\S+) ?(.*)$/m.exec(block) ?? [];
      const [, type = ''] = /^# TYPE \S+ (\S+)$/m.exec(block) ?? [];
      const labels = [...block.matchAll(/[{,]([a-zA-Z_]\w*)="/g)].map(([, label]) => label ?? '');
      return { name, help, type, labels: new Set(labels) };
    });
}

test('names, units, help and labels of all metrics are as Prometheus wants them', async () => {
  const families = familiesOf(await filledMetrics().registry.metrics());
  expect(families.length).toBeGreaterThan(50);
  expect(families.flatMap(complaints)).toEqual([]);
});

test('every metric of ours has a series as soon as there is something to say', async () => {
  const text = await filledMetrics().registry.metrics();
  const silent = familiesOf(text)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('tandem_'))
    .filter((name) => !new RegExp(`^${name}(_count)?[ {]`, 'm').test(text));
  expect(silent).toEqual([]);
});

test.each([
  [{ name: 'tandem_lag_milliseconds' }, 'not the base unit'],
  [{ name: 'tandem_lag_ms' }, 'an abbreviated unit'],
  [{ name: 'tandem_rows', type: 'counter' }, 'a counter without _total'],
  [{ name: 'tandem_rows_total' }, '_total, and no counter'],
  [{ name: 'tandem_rows_count' }, 'a reserved ending'],
  [{ name: 'tandem_rows_gauge' }, 'its type is in its name'],
  [{ name: 'tandem_openJobs' }, 'not in snake_case'],
  [{ name: 'tandem_rows', help: '' }, 'no help'],
  [{ name: 'tandem_rows', labels: new Set(['le']) }, 'the label le is reserved'],
])('%o is found: %s', (part, problem) => {
  const family = { help: 'Help', type: 'gauge', labels: new Set<string>(), ...part };
  expect(complaints(family)).toEqual([`${part.name}: ${problem}`]);
});
