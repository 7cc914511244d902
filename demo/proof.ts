import { proofLines, sectionLines } from '../cli/proof-lines.ts';
import { formatCount } from '../cli/units.ts';
import type { AccountProof } from '../proof/account/account-proof.ts';
import { rowsOf } from '../proof/mirror/describe.ts';
import type { MirrorProof } from '../proof/mirror/verify-mirror.ts';
import type { ProofReport } from '../proof/report.ts';
import { accountSections } from '../proof/sections.ts';
import type { TargetProof } from '../proof/target/target-proof.ts';
import { runTandem, StepFailed, type Servers, type Stage } from './stage.ts';

/** `tandem verify` beside the stream. Throws `StepFailed`, below its report, unless all agrees. */
export async function prove(stage: Stage, { settings }: Servers): Promise<void> {
  const { screen } = stage;
  screen.step(
    'Prove that both sides agree',
    'Every legacy row is compared with its copy, and every row of the new model with what the copy asks for. Then the account: what became of every legacy row, and every cent.',
  );
  const output: string[] = [];
  const report = () => JSON.parse(output.join('\n')) as ProofReport;
  try {
    await runTandem(stage, ['verify', '--json'], {
      shown: ['verify'],
      settings: { ...settings, LOG_LEVEL: 'warn' },
      onOutput: (line) => output.push(line),
      onLog: (line) => screen.line(line),
    });
  } catch (error) {
    if (error instanceof StepFailed && output.length > 0) {
      for (const line of proofLines(report())) screen.line(line);
    }
    throw error;
  }
  const { mirror, target, account } = report();
  if (target === null || account === null) throw new StepFailed('the proof is not whole');
  for (const line of [...comparedLines(mirror, target, account), '', ...accountTable(account)]) {
    screen.line(line);
  }
  screen.line();
  screen.text(MEANING);
  const roots = account.entities.reduce((sum, { mirrorRows }) => sum + mirrorRows, 0);
  screen.done(`both sides agree; ${formatCount(roots)} legacy rows are accounted for`);
}

function comparedLines(mirror: MirrorProof, target: TargetProof, account: AccountProof): string[] {
  const derived = target.entities.reduce((sum, { rows }) => sum + rows, 0);
  const amounts = account.entities.reduce((sum, { sums }) => sum + sums.length, 0);
  return [
    `source and copy   ${mirror.tables.length} tables, ${formatCount(rowsOf(mirror))} rows: the same`,
    `copy and target   ${target.entities.length} entities, ${formatCount(derived)} rows: what deriving again gives`,
    `amounts           ${amounts} columns add up to the last digit`,
  ];
}

/** The table of roots as `tandem verify` prints it. */
function accountTable(account: AccountProof): string[] {
  const [roots] = accountSections(account, { count: formatCount, limit: 0 });
  return roots === undefined ? [] : sectionLines(roots);
}

const MEANING =
  'mirror = applied + held + quarantined + excluded. applied: the row is in the target. held: it waits for a parent. quarantined: the mapping or the target refused it. excluded: a rule of the mapping leaves it out. deleted: it is gone on the source, and counts no more.';
