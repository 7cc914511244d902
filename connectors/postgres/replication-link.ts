import type { Socket } from 'node:net';
import type pg from 'pg';
import { LogicalReplicationService } from 'pg-logical-replication';
import { TandemError } from '../../core/errors.ts';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { connectionError, placeOf, sessionConfig, type Database } from './connection.ts';
import { judgeLink, statusIntervalMs } from './link-health.ts';
import { streamError } from './replication-errors.ts';
import { pgoutputPlugin } from './replication-plugin.ts';
import { standbyStatus } from './standby-status.ts';

/** The parts of the driver's connection that its types do not show. */
type RawConnection = {
  readonly stream: Socket;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
};

type LinkOptions = {
  readonly database: Database;
  readonly slot: string;
  readonly publication: string;
  readonly withMessages: boolean;
  /** Where to start, as text; the server sends what committed from there on. */
  readonly from: string;
  readonly statusIntervalMs: number;
  readonly serverTimeoutMs: number;
  /** The last position that the target has committed: the only one that is ever acknowledged. */
  readonly confirmed: () => Lsn;
  readonly now: () => number;
  /** `bytes` is overwritten once this returns. */
  readonly onMessage: (lsn: string, bytes: Buffer) => void;
  /** Asked after each message; the answer yes pauses the reading until `setPaused(false)`. */
  readonly isFull: () => boolean;
  readonly onKeepalive: (walEnd: Lsn) => void;
  /** At most once. Nothing arrives afterwards. */
  readonly onFailure: (error: TandemError) => void;
};

const CLOSE_MS = 1_000;

/**
 * One replication connection. Acknowledges by a timer of its own, also while reading is paused.
 *
 * Where pg-logical-replication 2.5.0 would lose data, it is not let: its timer (which acknowledges
 * what was received) is off, its flow control (which queues views of a buffer that is overwritten,
 * and goes on behind a handler that threw) is off, and its `acknowledge` (one byte too far, see
 * `standbyStatus`) is not used. An object per connection, so that its memory of the last received
 * position never becomes the start of the next.
 */
export class ReplicationLink {
  readonly #options: LinkOptions;
  readonly #service: LogicalReplicationService;
  #connection: RawConnection | null = null;
  #timer: NodeJS.Timeout | undefined;
  #stream: Promise<unknown> = Promise.resolve();
  #state: 'connecting' | 'streaming' | 'over' = 'connecting';
  #isPaused = false;
  #heardAtMs = 0;

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#service = new LogicalReplicationService(
      sessionConfig(options.database, `stream ${options.slot}`),
      { acknowledge: { auto: false, timeoutSeconds: 0 }, flowControl: { enabled: false } },
    );
  }

  /** Connects and starts the stream. Throws what `onFailure` would be told. */
  static async open(options: LinkOptions): Promise<ReplicationLink> {
    const link = new ReplicationLink(options);
    try {
      await link.#start();
    } catch (error) {
      await link.close();
      throw error;
    }
    return link;
  }

  #start(): Promise<void> {
    const { slot, publication, withMessages, from } = this.#options;
    return new Promise((resolve, reject) => {
      let hasStarted = false;
      const fail = (error: unknown) => {
        if (this.#state === 'over') return;
        const named = this.#nameOf(error);
        this.#state = 'over';
        clearInterval(this.#timer);
        if (hasStarted) this.#options.onFailure(named);
        else reject(named);
      };
      const plugin = pgoutputPlugin({
        publication,
        withMessages,
        onConnected: (client) => {
          this.#connection = rawConnection(client);
          this.#heardAtMs = this.#options.now();
        },
      });
      this.#service.on('start', () => {
        hasStarted = true;
        this.#state = 'streaming';
        this.#startTimer(fail);
        resolve();
      });
      this.#service.on('data', (lsn: string, bytes: Buffer) => {
        this.#hear(() => this.#options.onMessage(lsn, bytes), fail);
        if (this.#options.isFull()) this.setPaused(true);
      });
      this.#service.on('heartbeat', (lsn: string, _time: number, shouldRespond: boolean) => {
        this.#hear(() => this.#options.onKeepalive(parseLsn(lsn)), fail);
        if (shouldRespond) this.sendStatus();
      });
      this.#service.on('error', fail);
      this.#stream = this.#service.subscribe(plugin, slot, from).then(
        // A server that shuts down ends the stream in good order.
        () => fail(new TandemError('SOURCE_UNREACHABLE', { slot, reason: 'the stream ended' })),
        fail,
      );
    });
  }

  /** An exception here would come out of a socket's event and end the process. */
  #hear(handle: () => void, fail: (error: unknown) => void): void {
    if (this.#state !== 'streaming') return;
    this.#heardAtMs = this.#options.now();
    try {
      handle();
    } catch (error) {
      fail(error);
      this.#connection?.stream.pause();
    }
  }

  #startTimer(fail: (error: unknown) => void): void {
    const { serverTimeoutMs } = this.#options;
    const every = statusIntervalMs(this.#options.statusIntervalMs, serverTimeoutMs);
    this.#timer = setInterval(() => {
      const silentMs = this.#isPaused ? null : this.#options.now() - this.#heardAtMs;
      const health = judgeLink({ silentMs, serverTimeoutMs });
      if (health === 'dead') {
        const { database } = this.#options;
        fail(
          new TandemError('SOURCE_UNREACHABLE', { place: placeOf(database), reason: 'silence' }),
        );
      } else {
        this.sendStatus(health === 'ask');
      }
    }, every);
  }

  /** Tells the server what is confirmed, and that we live. */
  sendStatus(wantsReply = false): void {
    if (this.#state !== 'streaming') return;
    this.#connection?.sendCopyFromChunk(
      standbyStatus({
        position: this.#options.confirmed(),
        nowMs: this.#options.now(),
        wantsReply,
      }),
    );
  }

  /** While paused nothing is read: the server waits, and keeps what it has. */
  setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused || this.#state !== 'streaming') return;
    this.#isPaused = isPaused;
    if (isPaused) {
      this.#connection?.stream.pause();
    } else {
      this.#heardAtMs = this.#options.now();
      this.#connection?.stream.resume();
    }
  }

  /** Ends the stream so that the slot is free when this returns, unless the server does not answer. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#state === 'streaming') {
      this.sendStatus();
      this.#state = 'over';
      this.#connection?.endCopyFrom();
      this.#connection?.stream.resume(); // what the server still has in hand comes first
      await withinMs(CLOSE_MS, this.#stream);
    }
    this.#state = 'over';
    const closed = this.#service.destroy().catch(() => undefined);
    if (!(await withinMs(CLOSE_MS, closed))) this.#connection?.stream.destroy();
    this.#service.on('error', () => undefined); // a late one would end the process
  }

  #nameOf(error: unknown): TandemError {
    if (error instanceof TandemError) return error;
    if (this.#connection === null) return connectionError(this.#options.database, error);
    return streamError(error, this.#options);
  }
}

function rawConnection(client: pg.Client): RawConnection {
  return (client as unknown as { readonly connection: RawConnection }).connection;
}

/** Whether `work` ended in time. */
async function withinMs(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
