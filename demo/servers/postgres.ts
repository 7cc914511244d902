import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { bundledBinaries } from './binaries.ts';
import { createCluster, writeSettings, type Cluster, type Login } from './cluster.ts';
import { freePort } from './free-port.ts';
import { StartError, startPostmaster, type Postmaster } from './postmaster.ts';
import { serverUser } from './system-user.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';
import { createWorkFolder } from './work-folder.ts';

type PostgresOptions = {
  /** On top of ours. `fsync` stays on unless this says otherwise. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A folder of the caller: goes on with the cluster in it, and is never removed. */
  readonly dataDirectory?: string;
  /** The server outlives this process, and `stop` leaves its data. */
  readonly keep?: boolean;
  /** Name and password of the superuser. A cluster that exists already keeps its own. */
  readonly superuser?: string;
  readonly password?: string;
  /** The `bin` folder of another PostgreSQL, for example `/usr/lib/postgresql/15/bin`. */
  readonly binaries?: string;
};

/** A PostgreSQL server of our own on the loopback interface. */
export interface PostgresServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Of the running postmaster; another one after `start` or `restart`. */
  readonly pid: number;
  readonly dataDirectory: string;
  readonly logFile: string;
  connectionString(database?: string): string;
  /** `immediate` is a crash with recovery: open transactions are lost, committed ones are not. */
  restart(mode?: 'fast' | 'immediate'): Promise<void>;
  /** SIGKILL of the postmaster, as an out-of-memory killer would do it. Then `start` again. */
  kill(): Promise<void>;
  /** Starts a server that was killed, on the same port. */
  start(): Promise<void>;
  /** Stops the server and removes its data, unless `keep` or `dataDirectory` were given. */
  stop(): Promise<void>;
}

const FAST_SHUTDOWN_MS = 15_000;
const SAME_PORT_ATTEMPTS = 100;
const OTHER_PORT_ATTEMPTS = 10;

/**
 * Starts a server of its own: wal_level=logical, loopback only, a password for every login. It ends
 * with this process, however that ends, unless `keep` is given.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const user = serverUser();
  const given = options.dataDirectory;
  const folder = given === undefined ? await createWorkFolder(user) : undefined;
  const dataDirectory = resolve(given ?? join(folder ?? '', 'data'));
  const isKept = options.keep === true;
  const watchdog = isKept
    ? undefined
    : startWatchdog({
        pidFile: join(dataDirectory, 'postmaster.pid'),
        signal: 'QUIT', // PostgreSQL's immediate shutdown
        user,
        remove: folder,
      });
  try {
    const binaries = options.binaries ?? (await bundledBinaries(user));
    const cluster = { binaries, dataDirectory, user };
    const login = {
      superuser: options.superuser ?? 'postgres',
      password: options.password ?? randomBytes(12).toString('hex'),
    };
    await createCluster(cluster, login);
    await writeSettings(dataDirectory, options.settings ?? {});
    const server = new Server(cluster, login, { watchdog, folder: isKept ? undefined : folder });
    await server.startOnFreePort();
    return server;
  } catch (error) {
    watchdog?.disarm();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

type Remains = { readonly watchdog: Watchdog | undefined; readonly folder: string | undefined };

class Server implements PostgresServer {
  readonly host = '127.0.0.1';
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly #cluster: Cluster;
  readonly #login: Login;
  readonly #remains: Remains;
  #port = 0;
  #postmaster: Postmaster | undefined;

  constructor(cluster: Cluster, login: Login, remains: Remains) {
    this.dataDirectory = cluster.dataDirectory;
    this.logFile = join(cluster.dataDirectory, 'server.log');
    this.#cluster = cluster;
    this.#login = login;
    this.#remains = remains;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    if (this.#postmaster === undefined) throw new Error('the server is not running');
    return this.#postmaster.pid;
  }

  connectionString(database = 'postgres'): string {
    const login = [this.#login.superuser, this.#login.password].map(encodeURIComponent).join(':');
    return `postgresql://${login}@${this.host}:${this.#port}/${encodeURIComponent(database)}`;
  }

  /** Between the look for a free port and its use another process may take it. */
  async startOnFreePort(): Promise<void> {
    await this.#startWith(freePort, OTHER_PORT_ATTEMPTS);
  }

  async start(): Promise<void> {
    if (this.#postmaster !== undefined) return;
    await this.#startWith(() => Promise.resolve(this.#port), SAME_PORT_ATTEMPTS);
  }

  async restart(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#shutDown(mode);
    await this.start();
  }

  async kill(): Promise<void> {
    this.#postmaster?.signal('SIGKILL');
    await this.#postmaster?.hasEnded(FAST_SHUTDOWN_MS);
    this.#postmaster = undefined;
  }

  async stop(): Promise<void> {
    await this.#shutDown('fast');
    const { folder, watchdog } = this.#remains;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    watchdog?.disarm();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** After a crash the old backends need a moment to notice and to let go of port and memory. */
  async #startWith(choosePort: () => Promise<number>, attempts: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#port = await choosePort();
      try {
        this.#postmaster = await startPostmaster(this.#cluster, this.#port, this.logFile);
        return;
      } catch (error) {
        const isHopeless = !(error instanceof StartError) || error.reason === 'broken';
        if (isHopeless || attempt === attempts) throw error;
        await pause(100);
      }
    }
  }

  /** A client that does not answer can hold up a fast shutdown: then an immediate one ends it. */
  async #shutDown(mode: 'fast' | 'immediate'): Promise<void> {
    const postmaster = this.#postmaster;
    if (postmaster === undefined) return;
    const ladder: NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGKILL'];
    for (const signal of mode === 'fast' ? ladder : ladder.slice(1)) {
      postmaster.signal(signal);
      if (await postmaster.hasEnded(FAST_SHUTDOWN_MS)) break;
    }
    this.#postmaster = undefined;
  }
}
