import {
  Kafka,
  logLevel,
  type LogEntry,
  type RequestTimeoutEvent,
  type SASLOptions,
} from 'kafkajs';
import type { Observer } from '../../core/ports.ts';
import { registerCodecs } from './codecs.ts';

type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512';

/** All in PEM. */
export type KafkaTls = {
  /** The authorities to trust; null: those that Node brings. */
  readonly ca: string | null;
  /** What we show to brokers that ask who we are; null: nothing. */
  readonly client: { readonly certificate: string; readonly key: string } | null;
};

/** How a Kafka cluster is reached. */
export type KafkaAccess = {
  /** `host:port` of some of the brokers; the cluster tells about the others. */
  readonly brokers: readonly string[];
  /** Null: no TLS. */
  readonly tls: KafkaTls | null;
  /** Null: the cluster asks nobody who they are. */
  readonly sasl: {
    readonly mechanism: SaslMechanism;
    readonly username: string;
    readonly password: string;
  } | null;
  /** Shown in the broker's log and quotas. Default: `tandem`. */
  readonly clientId?: string;
};

/**
 * Attempts of one call: about three seconds, then it fails. Going on after that is for the loop
 * around, which pauses longer each time and says so.
 */
const RETRY = {
  initialRetryTime: 200,
  multiplier: 2,
  factor: 0.2,
  maxRetryTime: 2_000,
  retries: 4,
};

/** A client for the cluster. It connects when its consumer, producer or admin does. */
export function kafkaClient(access: KafkaAccess, observer: Observer): Kafka {
  registerCodecs();
  const { brokers, tls, sasl } = access;
  return new Kafka({
    clientId: access.clientId ?? 'tandem',
    brokers: [...brokers],
    ...(tls === null ? {} : { ssl: secureContext(tls) }),
    ...(sasl === null ? {} : { sasl: sasl as SASLOptions }),
    connectionTimeout: 5_000,
    authenticationTimeout: 10_000,
    requestTimeout: 15_000,
    retry: RETRY,
    // Its debug level prints requests; what matters of the others comes back as an error as well.
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => logToObserver(entry, observer),
  });
}

function secureContext({ ca, client }: KafkaTls) {
  return {
    ...(ca === null ? {} : { ca }),
    ...(client === null ? {} : { cert: client.certificate, key: client.key }),
  };
}

/** A broker that hangs is only known by the time that a request takes: the attempts follow. */
export function tellUnanswered({ payload }: RequestTimeoutEvent, observer: Observer): void {
  const { broker, apiName } = payload;
  observer.event('broker does not answer', { broker, request: apiName }, 'warn');
}

/** Only what was said and by which part: the rest may hold addresses of others and stack traces. */
function logToObserver({ namespace, label, log }: LogEntry, observer: Observer): void {
  const facts = { part: namespace, severity: label.toLowerCase(), message: log.message };
  observer.event('kafka.client', facts, 'debug');
}
