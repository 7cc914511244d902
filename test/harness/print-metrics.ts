import { filledMetrics } from './filled-metrics.ts';

// What /metrics answers with every metric in it, for `promtool check metrics`.
process.stdout.write(await filledMetrics().registry.metrics());
