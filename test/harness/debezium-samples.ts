import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse, stringify } from 'lossless-json';
import type { RawMessage } from '../../core/log-message.ts';

// Messages that Debezium 3.7 wrote, and the SQL that they come from; numbers keep all their digits.

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'debezium');

export type Statement = {
  readonly label: string;
  readonly sql?: string;
  /** The WAL's end before it and after it. */
  readonly before?: string;
  readonly after?: string;
};

export function recordedStatements(): readonly Statement[] {
  return lines(readFileSync(join(FOLDER, 'statements.jsonl'))).map(
    (line) => JSON.parse(line) as Statement,
  );
}

type Recorded = {
  readonly topic: string;
  readonly offset: { readonly value: string };
  readonly headers: Readonly<Record<string, string>>;
  readonly key: unknown;
  readonly value: unknown;
};

/** The messages of one connector, topic by topic. Its name is the prefix of its topics. */
export function recordedMessages(name: string): readonly RawMessage[] {
  return lines(gunzipSync(readFileSync(join(FOLDER, `${name}.jsonl.gz`)))).map((line) => {
    const { topic, offset, headers, key, value } = parse(line) as Recorded;
    return {
      topic,
      partition: 0,
      offset: BigInt(offset.value),
      timestampMs: 0,
      key: key === null ? null : Buffer.from(stringify(key) ?? ''),
      value: value === null ? null : Buffer.from(stringify(value) ?? ''),
      headers,
    };
  });
}

/** Messages in Avro, all of the topic `avro.public.t`, and their schemas by id. */
export function recordedAvro(): {
  readonly messages: readonly RawMessage[];
  readonly schemas: Readonly<Record<string, unknown>>;
} {
  const messages = lines(readFileSync(join(FOLDER, 'avro.jsonl'))).map((line) => {
    const { offset, key_hex, value_hex } = JSON.parse(line) as Record<string, string | null>;
    return {
      topic: 'avro.public.t',
      partition: 0,
      offset: BigInt(offset ?? ''),
      timestampMs: 0,
      key: Buffer.from(key_hex ?? '', 'hex'),
      value: value_hex == null ? null : Buffer.from(value_hex, 'hex'),
      headers: {},
    };
  });
  const schemas = JSON.parse(readFileSync(join(FOLDER, 'avro-schemas.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  return { messages, schemas };
}

function lines(bytes: Buffer): string[] {
  return bytes.toString('utf8').split('\n').filter(Boolean);
}
