import { accountLine, checkAccount, isAccounted } from './account.ts';
import { compareWithOracle } from './compare.ts';
import { compareMirror, mirrorDifferenceLines } from './mirror.ts';
import { reportLines } from './report.ts';

const [sourceUrl, targetUrl, examples] = process.argv.slice(2);
if (sourceUrl === undefined || targetUrl === undefined) {
  process.stderr.write('usage: npx tsx test/oracle/main.ts SOURCE_URL TARGET_URL [EXAMPLES]\n');
  process.exit(2);
}
const started = Date.now();
const options = { sourceUrl, targetUrl, maxExamples: Number(examples ?? 5) };

const report = await compareWithOracle(options);
print('target = map(source)', reportLines(report));

const mirror = await compareMirror(options);
print('mirror = source', [
  `${mirror.tables.length} tables ${mirror.agrees ? 'agree' : 'DIFFER'}`,
  ...mirrorDifferenceLines(mirror),
]);

const account = await checkAccount(targetUrl);
const open = account.entities.filter((it) => !isAccounted(it));
print('every source row has an end', [
  `${account.entities.length} entities ${open.length === 0 ? 'agree' : 'DIFFER'}`,
  ...open.map(accountLine),
  ...account.unknown.map((name) => `entity ${name} is not known here`),
]);

process.stdout.write(`${Date.now() - started} ms\n`);
process.exitCode = report.agrees && mirror.agrees && open.length === 0 ? 0 : 1;

function print(title: string, lines: readonly string[]): void {
  process.stdout.write(`${title}\n${lines.map((line) => `  ${line}\n`).join('')}`);
}
