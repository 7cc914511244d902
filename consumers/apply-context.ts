import type pg from 'pg';
import type { Observer, SourceReader } from '../core/ports.ts';
import type { TruncatePolicy } from '../core/truncate-policy.ts';
import type { Lsn } from '../core/version.ts';
import type { Model } from './model.ts';
import type { Cursor } from './position.ts';

export type ApplyOptions = {
  readonly stream: string;
  /** How the changes come: one process has the slot, or several share a log. Default: the slot. */
  readonly through?: 'slot' | 'log';
  /**
   * What `tandem.tables_digest` gave when the session was opened: another process of a log that is
   * shared may settle the tables meanwhile. Default: nobody does.
   */
  readonly tablesDigest?: string;
  /** Roots that one batch may derive; what concerns more becomes a job. */
  readonly maxRoots: number;
  /** Share of an entity's roots in quarantine above which it stops. */
  readonly stopShare: number;
  readonly onTruncate: TruncatePolicy;
  /** Tables that are being read beside the stream, which a truncate would confuse. Default: none. */
  readonly joining?: ReadonlySet<string>;
  /**
   * By table: rows with an older version may hold values that the stream has skipped, so they do not
   * complete an update that leaves values out. Default: the beginning of time.
   */
  readonly trustedFrom?: ReadonlyMap<string, Lsn>;
  /** Now, by the source's clock, in ms since the epoch: heartbeats are stamped there. Default: ours. */
  readonly sourceNow?: () => number;
};

/** What all parts of an apply session work with: one session of the target, one stream. */
export type ApplyContext = {
  readonly client: pg.Client;
  readonly model: Model;
  readonly options: ApplyOptions;
  readonly reader: SourceReader;
  readonly observer: Observer;
  readonly cursor: Cursor;
};
