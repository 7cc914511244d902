import { compareWithOracle } from './compare.ts';
import { reportLines } from './report.ts';

const [sourceUrl, targetUrl, examples] = process.argv.slice(2);
if (sourceUrl === undefined || targetUrl === undefined) {
  process.stderr.write('usage: npx tsx test/oracle/main.ts SOURCE_URL TARGET_URL [EXAMPLES]\n');
  process.exit(2);
}
const started = Date.now();
const maxExamples = Number(examples ?? 5);
const report = await compareWithOracle({ sourceUrl, targetUrl, maxExamples });
process.stdout.write(`${reportLines(report).join('\n')}\n${Date.now() - started} ms\n`);
process.exitCode = report.agrees ? 0 : 1;
