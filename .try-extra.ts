import { compareMirror, mirrorDifferenceLines } from './test/oracle/mirror.ts';
import { checkAccount, accountLine, isAccounted } from './test/oracle/account.ts';
const [s, t] = process.argv.slice(2) as [string, string];
const m = await compareMirror({ sourceUrl: s, targetUrl: t });
console.log(m.agrees, m.tables.map((x) => `${x.table} ${x.sourceRows}/${x.liveRows}`).join(', '), mirrorDifferenceLines(m).join('\n'));
const a = await checkAccount(t);
for (const e of a.entities) console.log(isAccounted(e), accountLine(e));
console.log(a.unknown);
