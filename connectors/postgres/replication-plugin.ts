import type pg from 'pg';
import { ident } from './sql.ts';

/** What the library asks of an output plugin. */
type ReplicationPlugin = {
  readonly name: string;
  readonly options: object;
  start(client: pg.Client, slot: string, position: string): Promise<unknown>;
  parse(message: Buffer): Buffer;
};

/**
 * A plugin that gives the raw message on. It is a view of the driver's buffer, which the next packet
 * overwrites: whoever gets it must be done with it before returning.
 */
export function pgoutputPlugin(options: {
  readonly publication: string;
  /** Logical messages too; PostgreSQL 14 and later. */
  readonly withMessages: boolean;
  /** Called once the connection is open, before the stream starts. */
  readonly onConnected: (client: pg.Client) => void;
}): ReplicationPlugin {
  return {
    name: 'pgoutput',
    options,
    parse: (message) => message,
    start(client, slot, position) {
      options.onConnected(client);
      return client.query(startReplication({ ...options, slot, position }));
    },
  };
}

/** The replication command; version 1 of the protocol is what PostgreSQL 10 speaks. */
export function startReplication(options: {
  readonly slot: string;
  readonly position: string;
  readonly publication: string;
  readonly withMessages: boolean;
}): string {
  const parameters = [
    `proto_version '1'`,
    // The value is a list of identifiers, quoted as such; then a literal, which knows no escapes here.
    `publication_names '${ident(options.publication).replaceAll("'", "''")}'`,
    ...(options.withMessages ? [`messages 'true'`] : []),
  ];
  const { slot, position } = options;
  return `START_REPLICATION SLOT ${ident(slot)} LOGICAL ${position} (${parameters.join(', ')})`;
}
