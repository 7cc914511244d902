/** What a check is about; also the order in which they are shown. */
export const SUBJECTS = ['source', 'target', 'kafka', 'mapping'] as const;
type Subject = (typeof SUBJECTS)[number];

/** One check: what was found, why it matters, and what mends it. */
export type CheckResult = {
  readonly subject: Subject;
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failure';
  readonly found: string;
  readonly why: string;
  /** The exact SQL, setting or step; null where nothing needs mending. */
  readonly mend: string | null;
};

/** What a check says before its verdict. */
export type Topic = { readonly subject: Subject; readonly name: string; readonly why: string };

export const ok = (topic: Topic, found: string): CheckResult => ({
  ...topic,
  status: 'ok',
  found,
  mend: null,
});
export const warning = (topic: Topic, found: string, mend: string): CheckResult => ({
  ...topic,
  status: 'warning',
  found,
  mend,
});
export const failure = (topic: Topic, found: string, mend: string): CheckResult => ({
  ...topic,
  status: 'failure',
  found,
  mend,
});

/** `a, b, c and 4 more`. */
export function listed(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).join(', ');
  return names.length <= most ? shown : `${shown} and ${names.length - most} more`;
}
