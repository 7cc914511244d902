import { EXIT, type Context } from './command.ts';

/** What takes longer than this after SIGTERM is left to the server to roll back. */
const STOP_MS = 4_000;

/** Ends the process some seconds after it was asked to stop: what is in hand may take minutes. */
export function hardStop(
  { notes }: Pick<Context, 'notes'>,
  signal: AbortSignal,
  message: string,
): void {
  signal.addEventListener('abort', () => {
    setTimeout(() => {
      notes.line(message);
      process.exit(EXIT.ok);
    }, STOP_MS).unref();
  });
}
