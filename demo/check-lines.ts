import { SUBJECTS, type CheckResult } from '../cli/check/result.ts';

export type CheckReport = { readonly checks: readonly CheckResult[] };

/** `source    25 ok, 1 warning`, a line for each subject that was looked at. */
export function checkCounts({ checks }: CheckReport): string[] {
  const present = SUBJECTS.filter((subject) => checks.some((it) => it.subject === subject));
  return present.map((subject) => {
    const own = checks.filter((it) => it.subject === subject);
    const count = (status: CheckResult['status']) =>
      own.filter((it) => it.status === status).length;
    const parts = [
      `${count('ok')} ok`,
      plural(count('warning'), 'warning'),
      plural(count('failure'), 'failure'),
    ];
    return `${subject.padEnd(8)} ${parts.filter((part) => part !== '').join(', ')}`;
  });
}

const plural = (count: number, word: string) =>
  count === 0 ? '' : `${count} ${word}${count === 1 ? '' : 's'}`;

/** What is not ok, each in a line; with how the demo goes on, where that is what mends it. */
export function checkRemarks({ checks }: CheckReport): string[] {
  return checks
    .filter(({ status }) => status !== 'ok')
    .map((result) => `${result.subject}, ${result.name}: ${remark(result)}`);
}

function remark({ found, mend }: CheckResult): string {
  if (mend === 'tandem setup') return 'not there yet; the setup makes them';
  const [start = found] = found.split(',');
  return found.endsWith('seed rows may') ? `${start}; seed rows of the setup do` : found;
}
