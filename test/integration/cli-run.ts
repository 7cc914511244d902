import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import type { CheckResult } from '../../cli/check/result.ts';
import { main } from '../../cli/main.ts';

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** A working folder of its own, and the command line in it. */
export class Workplace implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'tandem-cli-'));
  readonly environment: Record<string, string>;

  constructor(environment: Record<string, string> = {}) {
    this.environment = environment;
  }

  /** Writes a file, seen from the folder. */
  write(name: string, content: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  /** Runs a command line in this process, without a terminal. */
  async run(...argv: string[]): Promise<Ran> {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    let out = '';
    let err = '';
    stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const code = await main(argv, {
      stdin: stdin as unknown as NodeJS.ReadStream,
      stdout: stdout as unknown as NodeJS.WriteStream,
      stderr: stderr as unknown as NodeJS.WriteStream,
      environment: this.environment,
      workFolder: this.folder,
    });
    return { code, out, err };
  }

  /** `tandem check --json`, by subject and name. */
  async check(...argv: string[]): Promise<{ code: number; of: (name: string) => CheckResult }> {
    const { code, out, err } = await this.run('check', '--json', ...argv);
    if (out === '') throw new Error(`check printed nothing: ${err}`);
    const { checks } = JSON.parse(out) as { checks: CheckResult[] };
    return {
      code,
      of(name) {
        const [subject, rest] = name.split(': ');
        const found = checks.filter((it) => it.subject === subject && it.name === rest);
        const worst = found.find((it) => it.status === 'failure') ?? found[0];
        if (worst === undefined) throw new Error(`there is no check ${name} in ${out}`);
        return worst;
      },
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
