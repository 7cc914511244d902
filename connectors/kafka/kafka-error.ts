import { TandemError, type ErrorCode, type ErrorDetails } from '../../core/errors.ts';

/** What the broker answers that waiting does not mend, and a person can. */
const REFUSED = /AUTHORIZATION|AUTHENTICATION|SASL|POLICY_VIOLATION|INVALID_|UNSUPPORTED|TOO_LARGE/;
/** Classes of kafkajs that say the same. */
const REFUSING = /SASLAuthentication|NotImplemented|UnsupportedMagic|DoesNotSupport/;
/** Not the broker's: kafkajs, or we. */
const DEFECT = /^(Type|Range|Reference|Syntax)Error$/;
const TLS_FAILURE = /CERT|^ERR_TLS|^ERR_SSL|SELF_SIGNED|UNABLE_TO_/;

/** The parts of a kafkajs error that say what it is; its classes are not all exported. */
type Cause = {
  readonly name: string;
  readonly code: string;
  readonly type: string;
  readonly retriable: boolean;
};

/**
 * Names a failure of a call to Kafka. `what` says what was tried.
 *
 * @returns `KAFKA_UNREACHABLE` where another attempt may succeed, `KAFKA_REFUSED` where it will not,
 *   `TOPIC_MISSING`, `TLS_REFUSED`, `PROTOCOL_VIOLATION` for a defect; an error that has its name
 *   already stays as it is
 */
export function kafkaError(error: unknown, what: string, details: ErrorDetails = {}): TandemError {
  if (error instanceof TandemError) return error;
  const cause = rootCause(error);
  const facts = { ...details, what };
  if (cause.type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    return new TandemError('TOPIC_MISSING', facts, error);
  }
  if (TLS_FAILURE.test(cause.code)) {
    return new TandemError(
      'TLS_REFUSED',
      { connection: 'kafka', ...facts, code: cause.code },
      error,
    );
  }
  const reason = cause.type || cause.code || cause.name;
  return new TandemError(codeOf(cause), { ...facts, reason }, error);
}

function codeOf(cause: Cause): ErrorCode {
  if (DEFECT.test(cause.name)) return 'PROTOCOL_VIOLATION';
  return isRefusal(cause) ? 'KAFKA_REFUSED' : 'KAFKA_UNREACHABLE';
}

function isRefusal(cause: Cause): boolean {
  return REFUSING.test(cause.name) || (!cause.retriable && REFUSED.test(cause.type));
}

/** kafkajs wraps: what gave up names what failed last as its cause. */
function rootCause(error: unknown): Cause {
  const found = (error ?? {}) as Readonly<Record<string, unknown>>;
  const { cause: wrapped, errors } = found;
  const inner: unknown = wrapped ?? (Array.isArray(errors) ? errors.at(0) : undefined);
  if (inner instanceof Error) {
    const cause = rootCause(inner);
    if (cause.type !== '' || cause.code !== '' || DEFECT.test(cause.name)) return cause;
  }
  const text = (name: string) => (typeof found[name] === 'string' ? found[name] : '');
  const name = text('name') || 'unknown';
  return { name, code: text('code'), type: text('type'), retriable: found['retriable'] === true };
}
