import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRelayMetrics } from '../../monitoring/metrics/relay-metrics.ts';
import { filledMetrics } from '../harness/filled-metrics.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const DASHBOARD = 'monitoring/dashboards/tandem.json';
const RULES = 'monitoring/alerts/tandem.rules.yml';

/** As prom-client keeps them; its types leave the labels out. */
type Declared = {
  readonly name: string;
  readonly type: string;
  readonly labelNames: readonly string[];
};
const declared = (): readonly Declared[] =>
  filledMetrics().registry.getMetricsAsArray() as unknown as Declared[];
/** Those of the process of the relay too, which has a registry of its own. */
const declaredByAll = (): readonly Declared[] => [
  ...declared(),
  ...(createRelayMetrics().registry.getMetricsAsArray() as unknown as Declared[]),
];

/** Every series that is served, by name: a histogram has three. */
function seriesNames(): ReadonlyMap<string, ReadonlySet<string>> {
  const known = new Map<string, ReadonlySet<string>>();
  for (const { name, type, labelNames } of declaredByAll()) {
    const isHistogram = type === 'histogram';
    known.set(name, new Set(labelNames));
    for (const end of isHistogram ? ['_bucket', '_sum', '_count'] : []) {
      known.set(`${name}${end}`, new Set([...labelNames, ...(end === '_bucket' ? ['le'] : [])]));
    }
  }
  return known;
}

/** What a query asks for: metrics with the labels that it selects by. */
function selected(query: string): { readonly name: string; readonly labels: string[] }[] {
  return [...query.matchAll(/\b((?:tandem|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', selectors = '']) => ({
      name,
      labels: [...selectors.matchAll(/(\w+)(?:=~|!~|!=|=)/g)].map(([, label]) => label ?? ''),
    }),
  );
}

/** Labels that Prometheus adds itself. */
const ADDED = ['job', 'instance'];

function unknown(queries: readonly string[]): string[] {
  const known = seriesNames();
  return queries.flatMap(selected).flatMap(({ name, labels }) => {
    const its = known.get(name);
    if (its === undefined) return [name];
    return labels.filter((l) => !its.has(l) && !ADDED.includes(l)).map((l) => `${name}{${l}}`);
  });
}

type Panel = {
  readonly id: number;
  readonly title: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
};
const panels = () => (JSON.parse(read(DASHBOARD)) as { panels: Panel[] }).panels;
const queriesOf = (panel: Panel) => (panel.targets ?? []).map(({ expr }) => expr);
const rules = () =>
  read(RULES)
    .split(/^ +- alert: /m)
    .slice(1)
    .map((text) => ({
      name: /^\w+/.exec(text)?.[0] ?? '',
      query: /^ +expr: (.*)$/m.exec(text)?.[1] ?? '',
    }));

test('the dashboard asks for metrics and labels that there are', () => {
  const queries = panels().flatMap(queriesOf);
  expect(queries.length).toBeGreaterThan(30);
  expect(unknown(queries)).toEqual([]);
});

test('the dashboard shows every metric of ours', () => {
  const shown = new Set(
    panels()
      .flatMap(queriesOf)
      .flatMap(selected)
      .map(({ name }) => name),
  );
  const hidden = declaredByAll()
    .filter(({ name }) => name.startsWith('tandem_'))
    .filter(
      ({ name }) => !shown.has(name) && !shown.has(`${name}_bucket`) && !shown.has(`${name}_sum`),
    )
    .map(({ name }) => name);
  // It says how fresh the account is, which is of use to a query only.
  expect(hidden).toEqual(['tandem_account_timestamp_seconds']);
});

test('no two panels of the dashboard lie on each other', () => {
  const all = panels();
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  const overlapping = all.flatMap((a, i) =>
    all
      .slice(i + 1)
      .filter(({ gridPos: b }) => {
        const { x, y, w, h } = a.gridPos;
        return x < b.x + b.w && b.x < x + w && y < b.y + b.h && b.y < y + h;
      })
      .map((b) => `${a.title} and ${b.title}`),
  );
  expect(overlapping).toEqual([]);
});

test('alert rules ask for metrics and labels that there are', () => {
  expect(rules().length).toBeGreaterThan(10);
  expect(rules().filter(({ query }) => query === '')).toEqual([]);
  expect(unknown(rules().map(({ query }) => query))).toEqual([]);
});

test('a metric or a label that does not exist is found', () => {
  expect(unknown(['rate(tandem_chnages_total[1m]) > 0'])).toEqual(['tandem_chnages_total']);
  expect(unknown(['tandem_changes_total{tabel="a"}'])).toEqual(['tandem_changes_total{tabel}']);
  expect(unknown(['tandem_lag_seconds_bucket'])).toEqual(['tandem_lag_seconds_bucket']);
});

/** Cells of the rows of a table of the manual, as they read. */
function manual(mark: string): string[][] {
  const page = read('docs/operations.md');
  const table = /(?:^\|.*\n)+/m.exec(page.slice(page.indexOf(mark)))?.[0] ?? '';
  const lines = table.trim().split('\n').slice(2);
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.replaceAll(/[`\\]/g, '').trim()),
  );
}

test('the manual explains every metric, with its kind and labels, and no other', () => {
  const explained = manual('<!-- metrics -->').map(([name, kind, labels]) => [name, kind, labels]);
  const ours = declared()
    .filter(({ name }) => name.startsWith('tandem_'))
    .map(({ name, type, labelNames }) => [name, type, labelNames.join(', ')]);
  expect(explained).toEqual(ours);
  expect(
    manual('<!-- metrics -->').filter((cells) => cells.length !== 4 || cells[3] === ''),
  ).toEqual([]);
});

test('the manual says what to do about every alert, and about no other', () => {
  const explained = manual('<!-- alerts -->').map(([name]) => name);
  expect(explained).toEqual(rules().map(({ name }) => name));
});

test('the example of an alert rule is one of the file', () => {
  const page = read('docs/operations.md');
  const example = /```yaml\n([^]*?)```/.exec(page.slice(page.indexOf('## Metrics')))?.[1] ?? 'none';
  const unindented = (text: string) => text.replaceAll(/^ +/gm, '');
  expect(unindented(read(RULES))).toContain(unindented(example));
});
