import type { Kafka } from 'kafkajs';
import { kafkaClient } from '../../connectors/kafka/client.ts';
import { TandemError } from '../../core/errors.ts';
import type { MessageDecoder } from '../../core/log-message.ts';
import type { Lsn } from '../../core/version.ts';
import type { Observer } from '../../core/ports.ts';
import type { Config } from '../config.ts';
import type { Engine } from '../engine.ts';
import { decoderOf } from '../kafka-capture.ts';
import type { KafkaConfig } from '../kafka-config.ts';

/** What is needed to read a log again, beside whoever consumes it. */
export type LogReading = {
  readonly kafka: Kafka;
  readonly config: KafkaConfig;
  /** Leaves out what the mirror's copy of a table has taken the place of. */
  readonly decoder: MessageDecoder;
  /** Whether rows may be read again from the source. */
  readonly reread: boolean;
};

/** @throws TandemError `CONFIG_INVALID` where no Kafka is configured */
export function openLogReading({ kafka }: Config, engine: Engine, observer: Observer): LogReading {
  if (kafka === null) {
    const problem = 'is needed to read messages again';
    throw new TandemError('CONFIG_INVALID', { setting: 'KAFKA_BROKERS', problem });
  }
  const { consistentPoint } = engine.position;
  const tables = [...engine.model.mirror.values()];
  // A row that the copy has not seen was deleted before: it must not come back.
  const from = new Map(
    tables.map(({ name }) => [name, engine.joinsAt.get(name) ?? consistentPoint]),
  );
  return {
    kafka: kafkaClient(kafka.access, observer),
    config: kafka,
    decoder: behind(from, decoderOf(kafka, { tables, stored: engine.position })),
    reread: kafka.reread,
  };
}

/** The same, without what was committed before the places given by table. */
function behind(from: ReadonlyMap<string, Lsn>, decoder: MessageDecoder): MessageDecoder {
  return {
    prepare: (messages) => decoder.prepare(messages),
    decode: (message) => {
      const decoded = decoder.decode(message);
      if (decoded.kind !== 'change') return decoded;
      const { table, version } = decoded.event;
      return version.commitLsn < (from.get(table.name) ?? 0n) ? { kind: 'nothing' } : decoded;
    },
  };
}
