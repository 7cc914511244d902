import { beforeAll, expect, test } from 'vitest';
import { freshPair, type TestPair } from '../harness/database.ts';
import { EVERY_TYPE, EVERY_TYPE_SETUP } from '../harness/every-type.ts';
import { freshPrefix, sharedServer } from '../harness/kafka-stack.ts';
import { smallMapping } from '../integration/cli-small-mapping.ts';
import { envelopeOf, RelayPlace, type Read } from './relay-place.ts';

// Two slots on one publication: one is read by the relay, the other one by Debezium.

let bootstrap: string;
let connectUrl: string;

beforeAll(async () => {
  [{ bootstrap }, { url: connectUrl }] = await Promise.all([
    sharedServer('broker'),
    sharedServer('connect'),
  ]);
}, 600_000); // the first time ever, Maven fetches them

const COLUMNS = EVERY_TYPE.map(({ type }, i) => `c${i} ${type}`).join(', ');
const TABLES = `${EVERY_TYPE_SETUP};
  create table every_type (id bigint primary key, ${COLUMNS});
  create table two_keys (number int, name text, note text, wide text, primary key (name, number));
  alter table two_keys alter column wide set storage external;`;

/** Of a few columns of the tables: the relay publishes all. */
const MAPPING = smallMapping([
  [
    'const offices =',
    `const every = legacyTable('every_type', 'id', { id: int4, c1: int4.orNull });
     const twoKeys = legacyTable('two_keys', ['name', 'number'], { number: int4, name: text, note: text.orNull });
     const everies = entity({ name: 'every', target: 'everies', from: every.select('c1'),
       map: (root) => row({ id: ref('every', root.id) }) });
     const pairs = entity({ name: 'pair', target: 'pairs', from: twoKeys.select('note'),
       map: (root) => row({ id: ref('pair', root.name + root.number), note: root.note }) });
     const offices =`,
  ],
  ['entities: [', 'entities: [everies, pairs, '],
]);

const TARGETS = `create table public.everies (id uuid primary key);
  create table public.pairs (id uuid primary key, note text);`;

async function write({ source }: TestPair): Promise<void> {
  const most = Math.max(...EVERY_TYPE.map(({ values }) => values.length));
  for (let n = 0; n <= most; n++) {
    const values = EVERY_TYPE.map(({ values }) => values[n] ?? null);
    const places = values.map((_, i) => `$${i + 2}`).join(', ');
    await source.query(`insert into every_type values ($1, ${places})`, [n, ...values]);
  }
  await source.query(
    `update every_type set c1 = 7 where id < 3; delete from every_type where id = 3`,
  );
  await source.query(`insert into two_keys
    select i, chr(34) || 'é' || chr(1) || i, 'n', repeat(md5(i::text), 200) from generate_series(1, 50) i`);
  await source.query(`update two_keys set note = 'other' where number < 20`);
  await source.query(`update two_keys set number = number + 100 where number < 10`);
  await source.query(`begin; delete from two_keys where number > 40; truncate every_type; commit`);
  await source.query(
    `select pg_logical_emit_message(false, 'tandem.heartbeat', '{"at":"1735787045678"}')`,
  );
  await source.query(`insert into office values (1, 'last', null)`);
}

test('the relay publishes what Debezium publishes: topics, keys, partitions, envelopes', async () => {
  await using pair = await freshPair();
  await pair.source.query(TABLES);
  using place = await RelayPlace.open(pair, bootstrap, {}, { mapping: MAPPING, targets: TARGETS });
  const other = freshPrefix();
  await pair.source.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [other]);
  await write(pair);

  await using relay = await place.started();
  const ours = await relay.during(contents(place), 'the topics of the relay', 60_000);
  await relay.stop();
  expect(relay.events('interrupted')).toEqual([]);
  Object.assign(place.work.environment, {
    TANDEM_SLOT: other,
    KAFKA_TOPIC_PREFIX: other,
    CONNECT_URL: connectUrl,
    CONNECTOR_NAME: other,
  });
  try {
    expect(await place.work.run('connector', 'deploy')).toMatchObject({ code: 0, err: '' });
    const theirs = await contents(place.under(other));
    for (const [topic, messages] of theirs) {
      const compared = paired(ours.get(topic) ?? [], messages);
      expect(compared.map(([our]) => our)).toEqual(compared.map(([, their]) => their));
    }
  } finally {
    await place.work.run('connector', 'delete');
  }
}, 180_000);

type Contents = ReadonlyMap<string, readonly Read[]>;

/** By topic. The last change of all is there when everything is. */
async function contents(place: RelayPlace): Promise<Contents> {
  await place.read('public.office', 1);
  const rows = Math.max(...EVERY_TYPE.map(({ values }) => values.length)) + 1;
  const counts = {
    'public.every_type': rows + 3 + 2 + 1,
    'public.two_keys': 50 + 19 + 27 + 38,
    message: 1,
  };
  const found = new Map<string, readonly Read[]>();
  for (const [topic, count] of Object.entries(counts)) {
    found.set(topic, await place.read(topic, count));
  }
  return found;
}

/** A truncate has no key, so its partition is anybody's choice: it comes last here. */
function paired(ours: readonly Read[], theirs: readonly Read[]) {
  const ordered = (all: readonly Read[]) => [
    ...all.filter((it) => !isTruncate(it)),
    ...all.filter(isTruncate),
  ];
  const others = ordered(theirs);
  expect(ours).toHaveLength(theirs.length);
  return ordered(ours).map((our, i) => {
    const their = others[i] as Read;
    return [shown(our, our, their), shown(their, our, their)] as const;
  });
}

const isTruncate = ({ value }: Read) => value !== null && envelopeOf({ value }).op === 't';

const DECIMALS = `c${EVERY_TYPE.findIndex(({ type }) => type === 'numeric[]')}`;

/** Debezium fails at a NaN or an infinity in an array of decimals, and writes null for all of it. */
function hasNoNumber(our: Read, their: Read): boolean {
  const [ours, theirs] = [our, their].map(({ value }) =>
    value === null ? null : envelopeOf({ value }).after?.[DECIMALS],
  );
  return theirs === null && /NAN|INFINITY/.test(JSON.stringify(ours ?? null));
}

/** One value in one form: Debezium writes some with other digits, or in another order. */
function plain(name: string, value: unknown): unknown {
  const type = EVERY_TYPE[Number(name.slice(1))]?.type;
  if (value === null) return null;
  if (type === 'real') return Math.fround(Number(value));
  if (type === 'numeric(8,-2)') return Number(value);
  return type === 'hstore' && typeof value === 'string' ? (JSON.parse(value) as unknown) : value;
}

/**
 * What is compared: not clocks, the connector's names and the form of the position; nor values that
 * Debezium cannot write, which the relay tells of in a header.
 */
function shown(message: Read, our: Read, their: Read) {
  const { partition, key, value, headers } = message;
  const beyond = new Set(Object.keys(JSON.parse(our.headers['tandem.exact'] ?? '{}') as object));
  if (hasNoNumber(our, their)) beyond.add(DECIMALS);
  const written = their.value === null ? null : envelopeOf(their);
  const image = (cells: Record<string, unknown> | null, theirs: typeof cells | undefined) =>
    cells === null
      ? null
      : Object.fromEntries(
          Object.entries(cells)
            .filter(([name]) => !beyond.has(name) && Object.hasOwn(theirs ?? {}, name))
            .map(([name, value]) => [name, plain(name, value)]),
        );
  const envelope = value === null ? null : envelopeOf({ value });
  return {
    partition: isTruncate(message) ? 'any' : partition,
    key: String(key),
    headers: Object.fromEntries(
      Object.entries(headers)
        .filter(([name]) => !/^(tandem\.|__debezium\.context)/.test(name))
        .map(([name, text]) => [name, escaped(text)]),
    ),
    op: envelope?.op,
    before: image(envelope?.before ?? null, written?.before),
    after: image(envelope?.after ?? null, written?.after),
    message: envelope?.message,
    source: Object.entries(envelope?.source ?? {}).filter(
      // Of a heartbeat the relay tells the place behind its batch.
      ([name]) => !CLOCKS.has(name) && !(name === 'lsn' && envelope?.op === 'm'),
    ),
  };
}
/** Connect writes a control character into the JSON of a header as it is. */
function escaped(text: string): string {
  return text.replace(/\p{Cc}/gu, (found) => JSON.stringify(found).slice(1, -1));
}

const CLOCKS = new Set(['ts_ms', 'ts_us', 'ts_ns', 'version', 'name', 'sequence']);
