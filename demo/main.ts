import { setTimeout as pause } from 'node:timers/promises';
import { TandemError } from '../core/errors.ts';
import { Cleanup } from './cleanup.ts';
import { Interruption } from './interruption.ts';
import { parseOptions } from './options.ts';
import { runDemo, STEPS } from './run.ts';
import { Screen } from './screen.ts';
import { javaStack } from './servers/kafka/java.ts';
import { StepFailed, type Stage } from './stage.ts';

const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Handled = keyof typeof EXIT_OF_SIGNAL;
/** npm and tsx pass a signal on that the terminal has sent us already. */
const SAME_SIGNAL_MS = 500;

/** The first signal ends the demo in good order, a second one at once. */
function listen(stage: Stage): void {
  let firstAt: number | null = null;
  const onSignal = (signal: NodeJS.Signals) => {
    firstAt ??= Date.now();
    if (Date.now() - firstAt > SAME_SIGNAL_MS) process.exit(EXIT_OF_SIGNAL[signal as Handled]);
    stage.interruption.interrupt({ kind: 'signal', signal });
  };
  for (const signal of Object.keys(EXIT_OF_SIGNAL)) process.on(signal, onSignal);
  // For example a connection that a server has closed on its way down.
  process.on('uncaughtException', (error) => {
    stage.interruption.interrupt({ kind: 'failed', error });
  });
}

async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseOptions(argv);
  if (parsed.kind === 'exit') return parsed.code;
  const { options } = parsed;
  const java = options.through === 'direct' ? null : javaStack();
  if (java?.kind === 'missing') {
    console.error(`--through ${options.through}: ${java.missing}`);
    return 1;
  }
  // Those of libpq would lead our own connections elsewhere.
  for (const name of Object.keys(process.env)) if (/^PG/.test(name)) delete process.env[name];
  const stage: Stage = {
    options,
    screen: new Screen(process.stdout, STEPS[options.through]),
    cleanup: new Cleanup(),
    interruption: new Interruption(),
  };
  listen(stage);
  try {
    await runDemo(stage);
    return 0;
  } catch (error) {
    return await explain(stage, error);
  } finally {
    await stage.cleanup.run();
  }
}

/** Says why the demo ends early, and takes everything down. */
async function explain({ screen, cleanup, interruption }: Stage, error: unknown): Promise<number> {
  const { reason } = interruption;
  if (reason?.kind === 'signal') {
    screen.settle();
    screen.line();
    screen.line('Interrupted: stopping what was started ...');
    await takeDown(screen, cleanup);
    return EXIT_OF_SIGNAL[reason.signal as Handled];
  }
  screen.fail(errorLines(reason?.kind === 'failed' ? reason.error : error));
  screen.line('Stopping what was started ...');
  await takeDown(screen, cleanup);
  return 1;
}

async function takeDown(screen: Screen, cleanup: Cleanup): Promise<void> {
  const errors = await cleanup.run();
  // The traffic, or a session, may end with the error that brought the demo down.
  for (const error of errors) screen.warn(error instanceof Error ? error.message : String(error));
  screen.line(errors.length === 0 ? 'nothing is left running, and no data' : 'the rest is down');
}

function errorLines(error: unknown): readonly string[] {
  if (error instanceof StepFailed) return [error.message, ...error.lines];
  if (error instanceof TandemError) return [error.message, error.hint];
  const text = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack?.split('\n').slice(1, 6) ?? []) : [];
  return [...text.split('\n'), ...stack];
}

const code = await main(process.argv.slice(2));
// What a library still holds open must not keep a finished demo alive; what was written must go out.
if (process.stdout.writableLength > 0) {
  await Promise.race([
    new Promise((resolve) => process.stdout.once('drain', resolve)),
    pause(2_000),
  ]);
}
process.exit(code);
