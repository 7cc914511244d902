import { SUBJECTS, type CheckResult } from '../cli/check/result.ts';

export type CheckReport = { readonly checks: readonly CheckResult[] };

/** `source    25 ok, 1 warning`, a line for each subject. */
export function checkCounts({ checks }: CheckReport): string[] {
  return SUBJECTS.map((subject) => {
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

/** What is not ok, each in a line. */
export function checkRemarks({ checks }: CheckReport): string[] {
  return checks
    .filter(({ status }) => status !== 'ok')
    .map(({ subject, name, found, mend }) => {
      const isNext = mend === 'tandem setup';
      return `${subject}, ${name}: ${isNext ? 'not there yet, the setup makes them' : found}`;
    });
}
