/**
 * The versions of everything in Java that tests, benchmarks and the demo start. They were tried
 * together: the newest Kafka with all of its parts in Maven's repository, and the newest registry
 * that runs on Java 17.
 */
export const VERSIONS = {
  kafka: '4.3.1',
  debeziumPostgres: '3.7.0.Final',
  /** There is no 3.7.0.Final of the sink. */
  debeziumJdbc: '3.6.0.Final',
  /** Registry and converter. */
  apicurio: '2.6.13.Final',
  /** Kafka logs through slf4j 1.7, and its Maven artifacts bring nothing that writes. */
  log4jSlf4j: '2.25.4',
  mavenDependencyPlugin: '3.8.1',
  mavenAntrunPlugin: '3.1.0',
} as const;

/** The oldest Java that runs all of them. */
export const JAVA_MAJOR = 17;
