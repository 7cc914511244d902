import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { judgeCluster, judgeLog } from '../../connectors/kafka/judge-log.ts';
import { kafkaError } from '../../connectors/kafka/kafka-error.ts';
import { formatLogPosition, parseLogPosition } from '../../connectors/kafka/log-position.ts';
import { tableTopic, tableTopics } from '../../core/topic-name.ts';
import { TandemError } from '../../core/errors.ts';
import type { Position } from '../../core/ports.ts';

const table = (schema: string, relation: string) => ({
  name: `${schema}.${relation}`,
  schema,
  relation,
});

test('a topic is named as Debezium names it', () => {
  expect(tableTopic('tandem', table('public', 'Größe $1'))).toBe('tandem.public.Gr__e__1');
});

test('two tables whose topics a broker takes for one are named', () => {
  const clash = () => tableTopics('p', [table('a_b', 'c'), table('a', 'b_c')]);
  expect(clash).toThrow(/TOPIC_NAME.*table=a\.b_c other=a_b\.c/);
  expect(() => tableTopics('p', [table('a', 'b'), table('a', 'b$'), table('a', 'b!')])).toThrow(
    /TOPIC_NAME/,
  );
  expect(() => tableTopics('p', [table('s', 'x'.repeat(250))])).toThrow(/longest=249/);
  expect([...tableTopics('p', [table('a', 'b'), table('a', 'c')]).keys()]).toEqual([
    'p.a.b',
    'p.a.c',
  ]);
});

test('a position is read as it was written, with offsets beyond what a number holds', () => {
  const big = 2n ** 62n + 1n;
  const position = [
    {
      ...{ topic: 'a.b', partition: 3, from: big, to: big + 1n },
      ...{ timestampMs: 1_700_000_000_000, hasGaps: true },
    },
    { topic: 'c', partition: 0, from: 0n, to: 1n, timestampMs: null, hasGaps: false },
  ];
  expect(parseLogPosition(formatLogPosition(position))).toEqual(position);
  expect(() => parseLogPosition('0/16B3748' as Position)).toThrow(/PROTOCOL_VIOLATION/);
});

const place = { topic: 't', partition: 1 };

test.each([
  ['what comes next is there', 5n, true, { low: 5n, high: 9n }, 'sound'],
  ['nothing has come since', 9n, true, { low: 5n, high: 9n }, 'sound'],
  ['what comes next has gone', 4n, true, { low: 5n, high: 9n }, 'LOG_EXPIRED'],
  ['the log is shorter', 10n, true, { low: 5n, high: 9n }, 'LOG_RECREATED'],
  ['the partition has gone', 1n, true, undefined, 'LOG_RECREATED'],
  ['the partition is too new', 0n, false, undefined, 'KAFKA_UNREACHABLE'],
  ['nothing was read, and all is there', 0n, false, { low: 0n, high: 9n }, 'sound'],
  ['nothing was read, and the beginning has gone', 0n, false, { low: 5n, high: 9n }, 'unproven'],
  ['nothing was read, and all has gone', 0n, false, { low: 5n, high: 5n }, 'LOG_EXPIRED'],
] as const)('the log is judged: %s', (_, next, isKnown, ends, verdict) => {
  let found: string;
  try {
    found = judgeLog({ ...place, next, isKnown, seenEnd: 0n, mayBeginLate: false }, ends);
  } catch (error) {
    found = (error as TandemError).code;
  }
  expect(found).toBe(verdict);
});

test('an empty log of a table that joins the stream later has lost nothing', () => {
  const late = { ...place, next: 0n, isKnown: false, seenEnd: 0n, mayBeginLate: true };
  expect(judgeLog(late, { low: 5n, high: 5n })).toBe('sound');
  expect(judgeLog(late, { low: 5n, high: 6n })).toBe('unproven');
});

test('a partition of which nothing was read does not end before where it was seen to end', () => {
  const unread = { ...place, next: 0n, isKnown: true, seenEnd: 9n, mayBeginLate: false };
  expect(judgeLog(unread, { low: 0n, high: 9n })).toBe('sound');
  expect(() => judgeLog(unread, { low: 0n, high: 8n })).toThrow(/LOG_RECREATED.* end=8 endedAt=9/);
  expect(() => judgeLog(unread, { low: 5n, high: 9n })).toThrow(/LOG_EXPIRED/);
  expect(() => judgeLog(unread, undefined)).toThrow(/LOG_RECREATED/);
});

test('the cluster is judged by its id, once the target knows it', () => {
  expect(() => judgeCluster(null, 'a')).not.toThrow();
  expect(() => judgeCluster('a', 'a')).not.toThrow();
  expect(() => judgeCluster('a', 'b')).toThrow(/LOG_RECREATED fedFrom=a cluster=b/);
});

const { KafkaJSError, KafkaJSNonRetriableError } = kafkajs;
const protocol = (type: string, retriable: boolean) =>
  Object.assign(new KafkaJSError(type, { retriable }), { name: 'KafkaJSProtocolError', type });
const system = (code: string) => Object.assign(new Error(code), { code });

test.each([
  [protocol('TOPIC_AUTHORIZATION_FAILED', false), 'KAFKA_REFUSED'],
  [protocol('UNKNOWN_TOPIC_OR_PARTITION', true), 'TOPIC_MISSING'],
  [protocol('LEADER_NOT_AVAILABLE', true), 'KAFKA_UNREACHABLE'],
  [protocol('MESSAGE_TOO_LARGE', false), 'KAFKA_REFUSED'],
  [system('ECONNREFUSED'), 'KAFKA_UNREACHABLE'],
  [system('SELF_SIGNED_CERT_IN_CHAIN'), 'TLS_REFUSED'],
  [new TandemError('TARGET_UNREACHABLE'), 'TARGET_UNREACHABLE'],
  [new TypeError('undefined is not a function'), 'PROTOCOL_VIOLATION'],
  ['not even an error', 'KAFKA_UNREACHABLE'],
] as const)('a failure gets its name, also where it is wrapped: %s', (error, code) => {
  expect(kafkaError(error, 'try').code).toBe(code);
  if (!(error instanceof Error) || error instanceof TandemError) return;
  const wrapped = Object.assign(new KafkaJSNonRetriableError(error), { cause: error });
  expect(kafkaError(wrapped, 'try').code).toBe(code);
});
