import { ConnectRest } from '../../connectors/debezium/connect-rest.ts';
import { TandemError } from '../../core/errors.ts';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { ConnectConfig, KafkaConfig } from '../kafka-config.ts';

/** What every command about the connector needs. */
export type Connecting = {
  readonly kafka: KafkaConfig;
  readonly connect: ConnectConfig;
  readonly rest: ConnectRest;
};

/** @throws TandemError `CONFIG_INVALID` where no Kafka Connect is named */
export function connectOf({ kafka }: Config): Connecting {
  const connect = kafka?.connect ?? null;
  if (kafka === null || connect === null) {
    const setting = kafka === null ? 'KAFKA_BROKERS, CONNECT_URL' : 'CONNECT_URL';
    throw new TandemError('CONFIG_INVALID', { setting, problem: 'is not given' });
  }
  return { kafka, connect, rest: new ConnectRest({ place: connect.place, clock: systemClock }) };
}

/** A client for looks beside other work: it waits for nobody. */
export function briefly(connect: ConnectConfig): ConnectRest {
  const { place } = connect;
  return new ConnectRest({ place, clock: systemClock, requestMs: 3_000, patienceMs: 0 });
}
