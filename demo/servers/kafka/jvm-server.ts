import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../free-port.ts';
import { startWatchdog, type Watchdog } from '../watchdog.ts';
import { createWorkFolder } from '../work-folder.ts';
import { requireJava } from './java.ts';

/** A program in Java: how it is started, and how one sees that it has. */
type JvmProgram = {
  /** Begins the message when it does not start. */
  readonly name: string;
  /** Free ports are looked for at the first start, and kept from then on. */
  readonly portCount: number;
  /** Writes what the program reads into `folder`, and returns java's arguments. */
  prepare(place: Place): Promise<readonly string[]>;
  /** Asked again and again. `log` is what it has written since this start. */
  isReady(log: string, place: Place): Promise<boolean>;
};

export type Place = { readonly folder: string; readonly ports: readonly number[] };

/** A server in a Java process of its own, which ends with this process, however that ends. */
export interface JvmServer extends AsyncDisposable {
  readonly ports: readonly number[];
  /** Of the running process; another one after `start` or `restart`. */
  readonly pid: number;
  readonly logFile: string;
  /** Starts a server that was killed: same ports, same data. */
  start(): Promise<void>;
  /** SIGKILL. Its data stay. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** An orderly end (SIGTERM), then a start. */
  restart(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 90_000;
const SHUTDOWN_MS = 30_000;
const ATTEMPTS = 5;
const POLL_MS = 40;

/** Starts the program on free ports, with an empty folder. */
export async function startJvm(program: JvmProgram): Promise<JvmServer> {
  const java = requireJava();
  const folder = await createWorkFolder(undefined, 'tandem-jvm-');
  const server = new Server(java, program, folder);
  try {
    await server.startOnFreePorts();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

type Running = { readonly child: ChildProcess; readonly ended: Promise<void> };

class PortTaken extends Error {}

class Server implements JvmServer {
  readonly logFile: string;
  readonly #java: string;
  readonly #program: JvmProgram;
  readonly #folder: string;
  readonly #pidFile: string;
  readonly #watchdog: Watchdog;
  #ports: readonly number[] = [];
  #running: Running | undefined;

  constructor(java: string, program: JvmProgram, folder: string) {
    this.logFile = join(folder, 'server.log');
    this.#java = java;
    this.#program = program;
    this.#folder = folder;
    this.#pidFile = join(folder, 'server.pid');
    // Not QUIT: for Java that is a request to print its threads.
    const will = {
      pidFile: this.#pidFile,
      signal: 'KILL',
      user: undefined,
      remove: folder,
    } as const;
    this.#watchdog = startWatchdog(will);
  }

  get ports(): readonly number[] {
    return this.#ports;
  }

  get pid(): number {
    return this.#process().pid ?? 0;
  }

  /** Between the look for a free port and its use another process may take it. */
  async startOnFreePorts(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#ports = await freePorts(this.#program.portCount);
      try {
        return await this.start();
      } catch (error) {
        if (!(error instanceof PortTaken) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    const place = { folder: this.#folder, ports: this.#ports };
    const args = await this.#program.prepare(place);
    const before = (await readFile(this.logFile).catch(() => Buffer.alloc(0))).length;
    const running = this.#spawn(args);
    const logOfThisStart = async () => (await readFile(this.logFile)).subarray(before).toString();

    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.#program.isReady(await logOfThisStart(), place))) {
      if ((await endsWithin(running, POLL_MS)) || Date.now() > deadline) {
        await this.kill();
        throw startError(this.#program.name, await logOfThisStart());
      }
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  pause(): void {
    this.#process().kill('SIGSTOP');
  }

  resume(): void {
    this.#process().kill('SIGCONT');
  }

  async restart(): Promise<void> {
    this.resume(); // a process that stands still does not hear the next signal
    await this.#end('SIGTERM');
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill(); // its data go too, so there is nothing to end in order
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10 });
    this.#watchdog.disarm();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #process(): ChildProcess {
    if (this.#running === undefined) throw new Error(`${this.#program.name} is not running`);
    return this.#running.child;
  }

  #spawn(args: readonly string[]): Running {
    const log = openSync(this.logFile, 'a');
    const child = spawn(this.#java, args, {
      cwd: this.#folder,
      detached: true, // a Ctrl-C of the terminal is for the program, which then stops the server
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    // At once, not awaited: were this process killed in between, nobody would know the number.
    if (child.pid !== undefined) writeFileSync(this.#pidFile, `${child.pid}\n`);
    child.unref();
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    this.#running = { child, ended };
    return this.#running;
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    running.child.kill(signal);
    if (!(await endsWithin(running, SHUTDOWN_MS))) {
      running.child.kill('SIGKILL');
      await endsWithin(running, SHUTDOWN_MS);
    }
    rmSync(this.#pidFile, { force: true }); // the number may soon be another process's
    this.#running = undefined;
  }
}

function startError(name: string, log: string): Error {
  const tail = log.trim().split('\n').slice(-15).join('\n');
  const message = `${name} did not start; its log ends with:\n${tail}`;
  const isPortTaken = /Address already in use|BindException|Port already bound/i.test(log);
  return isPortTaken ? new PortTaken(message) : new Error(message);
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

/** A timer that holds this process open: the child itself does not. */
async function endsWithin({ ended }: Running, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = wait(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  const answer = await Promise.race([ended.then(() => true), late]);
  timer.abort();
  return answer;
}
