import type { Bench } from './bench.ts';
import { valueOf } from './database.ts';
import { avroConverters, debeziumSource, startConnector } from '../harness/connector.ts';
import { waitFor } from '../harness/wait-for.ts';
import { JdbcSink } from './jdbc-sink.ts';
import type { KafkaStage } from './kafka-stage.ts';
import type { PlainTable } from './plain-tables.ts';

const PREFIX = 'copy';
const TIMEOUT_MS = 900_000;

/**
 * The initial copy of one table by Debezium's snapshot and sink: seconds from the creation of both
 * until the sink holds all rows. The others it cannot copy: with `unnest`, which makes it fast, it
 * fails on dates and on numerics without a scale.
 */
export async function copyBySink(
  bench: Bench,
  stage: KafkaStage,
  place: { readonly url: string; readonly table: PlainTable },
): Promise<{ readonly seconds: number; readonly rows: number }> {
  const { world } = bench;
  const { name: table, columns } = place.table;
  const rows = await world.sourceRows(table);
  await world.settle();
  const { stack } = stage;
  const start = performance.now();
  await using source = await startConnector(stack.connect.url, PREFIX, {
    ...debeziumSource(world.sourceUrl, { prefix: PREFIX, slot: PREFIX, publication: PREFIX }),
    ...avroConverters(stack.registry.nativeUrl),
    ...SNAPSHOT,
    'table.include.list': `public.${table}`,
    'column.include.list': `public.${table}.(${columns.replaceAll(', ', '|')})`,
  });
  await using sink = await JdbcSink.start(
    stage,
    `${PREFIX}-sink`,
    `${PREFIX}.public.${table}`,
    place,
  );
  await waitFor(
    async () => {
      await sink.requireHealthy();
      return (await valueOf(place.url, `select count(*) from public.${table}`)) === String(rows);
    },
    { what: `${rows} rows from ${source.name}`, timeoutMs: TIMEOUT_MS, intervalMs: 200 },
  );
  return { seconds: (performance.now() - start) / 1000, rows };
}

/** As fast as it was seen to be. */
const SNAPSHOT = {
  'snapshot.mode': 'initial_only',
  'publication.autocreate.mode': 'filtered',
  'slot.drop.on.stop': 'true',
  'snapshot.fetch.size': '20000',
  'max.batch.size': '8192',
  'max.queue.size': '32768',
  'producer.override.linger.ms': '5',
  'producer.override.batch.size': '262144',
  'producer.override.compression.type': 'lz4',
  'topic.creation.default.partitions': '2',
};
