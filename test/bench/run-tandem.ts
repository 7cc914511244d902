import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { peakMemory } from './machine.ts';
import type { World } from './world.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/tandem.mjs', import.meta.url));
const SAMPLE_MS = 50;

export type LogLine = Readonly<Record<string, unknown>> & { readonly event?: string };
type CommandReport = {
  /** From the start of the process to its end. */
  readonly seconds: number;
  readonly peakMemoryBytes: number | null;
  /** The command's own log. */
  readonly log: readonly LogLine[];
};

/** How a command of `tandem` is started; `more` are settings on top of the databases. */
export function commandOf(
  world: World,
  args: readonly string[],
  targetUrl: string,
  more: Readonly<Record<string, string>> = {},
): { program: string; args: string[]; options: { cwd: string; env: NodeJS.ProcessEnv } } {
  return {
    program: process.execPath,
    args: [PROGRAM, ...args],
    options: {
      cwd: world.folder,
      env: {
        PATH: process.env['PATH'],
        SOURCE_URL: world.sourceUrl,
        TARGET_URL: targetUrl,
        LOG_FORMAT: 'json',
        LOG_LEVEL: 'debug',
        ...more,
      },
    },
  };
}

/** Runs a command of `tandem` as its users do, in a process of its own. Throws where it fails. */
export async function runTandem(
  world: World,
  args: readonly string[],
  targetUrl: string,
  more: Readonly<Record<string, string>> = {},
): Promise<CommandReport> {
  const start = performance.now();
  const { program, args: given, options } = commandOf(world, args, targetUrl, more);
  const child = spawn(program, given, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  world.adopt(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  // The kernel keeps the peak itself: only what is reached in the last moment can be missed.
  let peakMemoryBytes: number | null = null;
  const sampler = setInterval(() => {
    peakMemoryBytes = peakMemory(child.pid ?? 0) ?? peakMemoryBytes;
  }, SAMPLE_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => clearInterval(sampler));
  if (code !== 0) throw new Error(`tandem ${args.join(' ')} ended with ${code}:\n${text}`);
  const seconds = (performance.now() - start) / 1000;
  return { seconds, peakMemoryBytes, log: text.split('\n').flatMap(parseLine) };
}

function parseLine(line: string): LogLine[] {
  return line.startsWith('{') ? [JSON.parse(line) as LogLine] : [];
}
