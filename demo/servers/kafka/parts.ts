import type { Part } from './pom.ts';
import { VERSIONS } from './versions.ts';

/** Broker and Connect worker: one class path, started with different main classes. */
const kafka: Part = {
  kind: 'libraries',
  name: 'kafka',
  artifact: { group: 'org.apache.kafka', name: 'kafka_2.13', version: VERSIONS.kafka },
  megabytes: 54,
  more: [
    { group: 'org.apache.kafka', name: 'connect-runtime', version: VERSIONS.kafka },
    {
      group: 'org.apache.logging.log4j',
      name: 'log4j-slf4j-impl',
      version: VERSIONS.log4jSlf4j,
    },
  ],
};

const registry: Part = {
  kind: 'archive',
  name: 'registry',
  artifact: { group: 'io.apicurio', name: 'apicurio-registry-app', version: VERSIONS.apicurio },
  megabytes: 146,
  classifier: 'all',
};

/** Plugins of Connect. */
const postgresSource: Part = {
  kind: 'archive',
  name: 'debezium-postgres',
  artifact: {
    group: 'io.debezium',
    name: 'debezium-connector-postgres',
    version: VERSIONS.debeziumPostgres,
  },
  megabytes: 7,
  classifier: 'plugin',
};

/** 61 MB: it brings the drivers of all databases. */
const jdbcSink: Part = {
  kind: 'archive',
  name: 'debezium-jdbc',
  artifact: {
    group: 'io.debezium',
    name: 'debezium-connector-jdbc',
    version: VERSIONS.debeziumJdbc,
  },
  megabytes: 61,
  classifier: 'plugin',
};

/**
 * Avro in the way of Confluent. It does not name its classes to the ServiceLoader, and looking
 * through all jars for them instead would cost Connect seven seconds at every start.
 */
const avroConverter: Part = {
  kind: 'libraries',
  name: 'avro-converter',
  artifact: {
    group: 'io.apicurio',
    name: 'apicurio-registry-utils-converter',
    version: VERSIONS.apicurio,
  },
  megabytes: 17,
  without: ['org.apache.kafka', 'org.slf4j'],
  services: {
    type: 'org.apache.kafka.connect.storage.Converter',
    providers: ['io.apicurio.registry.utils.converter.AvroConverter'],
  },
};

/** All that can be fetched. */
export const PARTS = { kafka, registry, postgresSource, jdbcSink, avroConverter } as const;

export type PartName = keyof typeof PARTS;
