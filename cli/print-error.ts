import { TandemError } from '../core/errors.ts';
import type { Redact } from './redact.ts';

/**
 * What a person sees of an error: code, facts and cause in one line, and the next step. A message
 * of the server is not shown, because it may quote a row; its SQLSTATE is among the facts.
 */
export function errorLines(
  error: unknown,
  options: { readonly redact: Redact; readonly withStack: boolean },
): readonly string[] {
  const lines = describe(error);
  if (options.withStack && error instanceof Error && error.stack !== undefined) {
    lines.push(...error.stack.split('\n').slice(1));
  }
  return lines.map((line) => options.redact(line.replace(/[\r\n]+/g, ' ')));
}

function describe(error: unknown): string[] {
  if (error instanceof AggregateError) return [...error.errors.flatMap(describe)];
  if (!(error instanceof TandemError)) {
    const reason = error instanceof Error ? error.message : String(error);
    return [
      `error: unexpected: ${reason}`,
      'next:  A defect: report it with what LOG_LEVEL=debug shows.',
    ];
  }
  const { cause } = error;
  if (cause instanceof AggregateError) {
    const several = cause.errors.map((one: unknown) => (one as Error).message);
    return [...several.map((message) => `error: ${message}`), `next:  ${error.hint}`];
  }
  return [`error: ${factsLine(error)}${causeText(error)}`, `next:  ${error.hint}`];
}

/** `CODE key=value …`, with quotes around what has spaces. */
function factsLine(error: TandemError): string {
  const facts = Object.entries(error.details).map(([name, value]) => {
    const text = String(value);
    return `${name}=${/\s/.test(text) && name !== 'problem' && name !== 'reason' ? JSON.stringify(text) : text}`;
  });
  return [error.code, ...facts].join(' ');
}

function causeText(error: TandemError): string {
  const { cause } = error;
  if (!(cause instanceof Error) || cause instanceof TandemError) return '';
  const isFromServer = 'severity' in cause && 'code' in cause;
  if (isFromServer || 'reason' in error.details || 'problem' in error.details) return '';
  return ` (${cause.message.split('\n')[0] ?? ''})`;
}
