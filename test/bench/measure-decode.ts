import { DebeziumDecoder } from '../../connectors/debezium/decode.ts';
import { DebeziumEncoder } from '../../connectors/debezium/encode.ts';
import { SchemaRegistry } from '../../connectors/debezium/schema-registry.ts';
import { EXACT_MODES } from '../../connectors/debezium/value-modes.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { RawMessage } from '../../core/log-message.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { Lsn } from '../../core/version.ts';
import { SmallRegistry } from '../harness/small-registry.ts';
import type { Bench } from './bench.ts';
import type { Line, Measured } from './report.ts';
import { median } from './statistics.ts';

const MESSAGES = 100_000;
const GOAL = 60_000;

/** Ten columns, as in the comparison with Debezium's own sink. */
const TABLE: MirrorTable = {
  ...{ name: 'account', schema: 'public', relation: 'account', keyLength: 1 },
  columns: (
    [
      ['id', 'bigint'],
      ['name', 'text'],
      ['street', 'text'],
      ['remark', 'text'],
      ['balance', 'numeric(12,2)'],
      ['visits', 'integer'],
      ['active', 'boolean'],
      ['created', 'timestamp with time zone'],
      ['changed', 'timestamp with time zone'],
      ['code', 'text'],
    ] as const
  ).map(([name, type], i) => ({ name, type, sourceType: type, inKey: i === 0 })),
};

/**
 * Messages of Debezium to changes, in one thread, in each of the three forms; and changes to messages,
 * as the relay does. The floor is `JSON.parse` of the same bytes.
 */
export async function measureDecode(bench: Bench): Promise<Measured> {
  await using small = await SmallRegistry.start();
  const registry = new SchemaRegistry({ url: small.url });
  const changes = Array.from({ length: MESSAGES }, (_, i) => changeOf(i));
  const json = await encoderWith(null);
  const avro = await encoderWith(registry);
  const plain = encoded(json, changes);
  const forms = {
    JSON: plain,
    'JSON with schemas': plain.map(withSchema),
    Avro: encoded(avro, changes),
  };
  const decoder = new DebeziumDecoder({
    ...{ tables: [TABLE], prefix: 'p', modes: EXACT_MODES, registry, reread: true },
    startedAt: 0n as Lsn,
  });
  await decoder.prepare(forms.Avro);

  const facts: Record<string, object> = {};
  const lines: Line[] = [];
  for (const [form, messages] of Object.entries(forms)) {
    const ours = await rates(bench, `decode ${form}`, () => {
      for (const message of messages) decoder.decode(message);
    });
    const floor =
      form === 'Avro'
        ? []
        : await rates(bench, `JSON.parse of ${form}`, () => {
            for (const { value } of messages) JSON.parse(value?.toString('utf8') ?? '');
          });
    const bytes = messages[0]?.value?.length ?? 0;
    lines.push(lineOf(`decode ${form}, ${bytes} bytes a message`, ours, floor));
    facts[form] = { bytes, ours, floor };
  }
  for (const [form, encoder] of Object.entries({ JSON: json, Avro: avro })) {
    const ours = await rates(bench, `encode ${form}`, () => encoded(encoder, changes));
    lines.push(lineOf(`encode ${form}`, ours, []));
    facts[`encode ${form}`] = { ours };
  }
  return { lines, facts };
}

/** Messages a second, round by round; the first, in which code is compiled, does not count. */
async function rates(bench: Bench, what: string, work: () => unknown): Promise<number[]> {
  work();
  return bench.rounds(what, () => {
    const start = performance.now();
    work();
    return Promise.resolve(MESSAGES / ((performance.now() - start) / 1000));
  });
}

function lineOf(what: string, ours: readonly number[], floor: readonly number[]): Line {
  const rate = median(ours);
  const shown = (it: number) => `${Math.round(it).toLocaleString('en-US')} messages/s`;
  return {
    what,
    ours: shown(rate),
    floor: floor.length === 0 ? '' : shown(median(floor)),
    ratio: floor.length === 0 ? null : rate / median(floor),
    goal: `>= ${GOAL.toLocaleString('en-US')}/s`,
    met: rate >= GOAL,
  };
}

function changeOf(i: number): ChangeEvent {
  const transaction = BigInt(29_330_000 + Math.floor(i / 100) * 30_000);
  const version = { commitLsn: transaction as Lsn, changeLsn: (transaction + BigInt(i)) as Lsn };
  const committedAt = `2025-01-02 03:04:${String(Math.floor(i / 2000) % 60).padStart(2, '0')}.678901+00`;
  const row = [
    ...[String(i), `Account number ${i}`, `${i % 300} Invented Street`],
    ...['a remark of the usual length, not long', `${i % 1000}.50`, String(i % 77)],
    ...[i % 3 === 0 ? 'f' : 't', '2024-02-29 10:34:56.789012+00', committedAt, 'last'],
  ];
  return { kind: 'update', table: TABLE, version, committedAt, row, oldKey: null };
}

async function encoderWith(registry: SchemaRegistry | null): Promise<DebeziumEncoder> {
  const encoder = new DebeziumEncoder({ prefix: 'p', database: 'bench', registry });
  await encoder.prepare([TABLE]);
  return encoder;
}

function encoded(encoder: DebeziumEncoder, changes: readonly ChangeEvent[]): RawMessage[] {
  const context = { txId: 7, sentAtMs: 1_735_787_045_999 };
  return changes.flatMap((event) =>
    encoder.encode(event, context).map(({ topic, key, value, headers }, i) => ({
      ...{ topic, partition: 0, offset: BigInt(i), timestampMs: 0, key, value, headers },
    })),
  );
}

const CONNECT_TYPES: Readonly<Record<string, string>> = {
  bigint: 'int64',
  integer: 'int32',
  boolean: 'boolean',
};
const SCHEMA = JSON.stringify({
  type: 'struct',
  fields: ['before', 'after'].map((field) => ({
    ...{ type: 'struct', optional: true, name: 'p.public.account.Value', field },
    fields: TABLE.columns.map(({ name, type }) => ({
      ...{ type: CONNECT_TYPES[type] ?? 'string', optional: true, field: name },
      ...(type.startsWith('timestamp') ? { name: 'io.debezium.time.ZonedTimestamp' } : {}),
    })),
  })),
});

function withSchema(message: RawMessage): RawMessage {
  const payload = message.value?.toString('utf8') ?? '';
  return { ...message, value: Buffer.from(`{"schema":${SCHEMA},"payload":${payload}}`) };
}
