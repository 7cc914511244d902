import { beforeAll, expect, test } from 'vitest';
import { freePort } from '../../demo/servers/free-port.ts';
import type { TestPair } from '../harness/database.ts';
import { freshPair } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { waitFor } from '../harness/wait-for.ts';
import { smallMapping, smallWorkplace } from '../integration/cli-small-mapping.ts';
import { envelopeOf, RelayPlace, type Read } from './relay-place.ts';

let bootstrap: string;

beforeAll(async () => {
  ({ bootstrap } = await sharedServer('broker'));
}, 600_000); // the first time ever, Maven fetches it

test('what is committed comes into the topics, and the slot is told once Kafka remembers it', async () => {
  await using pair = await freshPair();
  using place = await RelayPlace.open(pair, bootstrap);
  await using relay = await place.started();
  await pair.source.query(`insert into office values (1, 'é', 'a secret')`);
  await pair.source.query(`begin; update office set name = 'b' where id = 1;
    update office set id = 2; delete from office; commit`);
  await relay.during(place.count('public.office'), 'the topic');
  const found = await relay.during(place.read('public.office', 7), 'messages');
  const seen = found.map(({ key, value, headers }) => [
    String(key),
    value === null ? null : envelopeOf({ value }).op,
    value === null ? null : envelopeOf({ value }).after,
    Object.keys(headers),
  ]);
  expect(seen).toHaveLength(7);
  expect(seen).toEqual(
    expect.arrayContaining([
      ['{"id":1}', 'c', { id: 1, name: 'é' }, []],
      ['{"id":1}', 'u', { id: 1, name: 'b' }, []],
      ['{"id":1}', 'd', null, ['__debezium.newkey']],
      ['{"id":2}', 'c', { id: 2, name: 'b' }, ['__debezium.oldkey']],
      ['{"id":2}', 'd', null, []],
    ]),
  );
  expect(JSON.stringify(found.map(({ value }) => String(value)))).not.toContain('secret');
  const confirmed = await waitFor(
    async () => {
      const [slot] = await pair.source.query(
        `select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1`,
        [pair.source.name],
      );
      const noted = await place.noted();
      return noted.at(-1) === slot?.['lsn'] ? slot?.['lsn'] : false;
    },
    { what: 'the slot to be confirmed', timeoutMs: 20_000, intervalMs: 200 },
  );
  expect(confirmed).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  expect(await relay.stop()).toBe(0);
});

/** Of the place's slot. */
async function confirmedOf({ source }: TestPair): Promise<string> {
  const [slot] = await source.query(
    `select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1`,
    [source.name],
  );
  return String(slot?.['lsn']);
}

/** Its process has ended before the server has noticed that. */
async function isFree({ source }: TestPair): Promise<boolean> {
  const active = await source.query(
    `select from pg_replication_slots where slot_name = $1 and active`,
    [source.name],
  );
  return active.length === 0;
}

/** Waits until Kafka remembers a place at or behind the end of the log as it is now. */
async function published(pair: TestPair, place: RelayPlace): Promise<void> {
  const [row] = await pair.source.query('select pg_current_wal_insert_lsn()::text as lsn');
  await waitFor(
    async () => {
      const [found] = await pair.source.query('select $1::pg_lsn >= $2::pg_lsn as ok', [
        await confirmedOf(pair),
        row?.['lsn'],
      ]);
      return found?.['ok'] === true;
    },
    { what: `the slot of ${place.prefix} to be confirmed`, timeoutMs: 30_000 },
  );
}

test('a slot that somebody else has moved on is refused, with what to do', async () => {
  await using pair = await freshPair();
  using place = await RelayPlace.open(pair, bootstrap);
  {
    await using relay = await place.started();
    await pair.source.query(`insert into office values (1, 'a', null)`);
    await published(pair, place);
    expect(await relay.stop()).toBe(0);
  }
  await pair.source.query(`insert into office values (2, 'lost', null)`);
  await waitFor(() => isFree(pair), { what: 'the slot to be free' });
  await pair.source.query(`select pg_replication_slot_advance($1, pg_current_wal_lsn())`, [
    pair.source.name,
  ]);
  const refused = await place.work.run('relay');
  expect(refused.code).toBe(1);
  const [, code, inLog, inTarget] =
    /(SLOT_\w+) .*published=([0-9A-F]+\/[0-9A-F]+) position=([0-9A-F]+\/[0-9A-F]+)/.exec(
      refused.err,
    ) ?? [];
  // Where a checkpoint came between, it cannot be told from a slot that was made anew.
  const [slot] = await pair.source.query(
    `select restart_lsn > greatest($2::pg_lsn, $3::pg_lsn) as is_past from pg_replication_slots
     where slot_name = $1`,
    [pair.source.name, inLog, inTarget],
  );
  expect(code).toBe(slot?.['is_past'] === true ? 'SLOT_RECREATED' : 'SLOT_AHEAD');
  expect(refused.err).toContain('tandem setup --new-slot');

  await using other = place.start({ KAFKA_TOPIC_PREFIX: `${place.prefix}_other` });
  expect(await other.exited, other.output).toBe(1);
  expect(other.output).toContain('published=nothing');
});

test('a second relay waits until the first has ended, and goes on behind it', async () => {
  await using pair = await freshPair();
  using place = await RelayPlace.open(pair, bootstrap);
  await using first = await place.started();
  await using second = place.start();
  await second.logged('interrupted', ({ code }) => code === 'SLOT_IN_USE');
  await pair.source.query(`insert into office values (1, 'a', null)`);
  await first.during(place.read('public.office', 1), 'the first message');
  expect(await first.stop()).toBe(0);
  await second.logged('stream.started', () => true, 60_000);
  await pair.source.query(`insert into office values (2, 'b', null)`);
  const found = await second.during(place.read('public.office', 2), 'the second message');
  expect(found.map(({ key }) => String(key)).sort()).toEqual(['{"id":1}', '{"id":2}']);
});

test('a column that is added, and one that is dropped, are in the rows that have them', async () => {
  await using pair = await freshPair();
  await pair.source.query('create table ledger (id int primary key, gone text)');
  const mapping = smallMapping([
    [
      'const offices =',
      `const ledger = legacyTable('ledger', 'id', { id: int4 });
       const ledgers = entity({ name: 'ledger', target: 'ledgers', from: ledger.select(),
         map: (root) => row({ id: ref('ledger', root.id) }) });
       const offices =`,
    ],
    ['entities: [', 'entities: [ledgers, '],
  ]);
  const targets = 'create table public.ledgers (id uuid primary key);';
  using place = await RelayPlace.open(pair, bootstrap, {}, { mapping, targets });
  // Before the relay sees anything: the catalogue is then ahead of the log.
  await pair.source.query(`insert into ledger values (1, 'x')`);
  await pair.source.query(`alter table ledger drop column gone`);
  await pair.source.query(
    `create type colour as enum ('red'); alter table ledger add paint colour`,
  );
  await pair.source.query(`insert into ledger values (2, 'red')`);
  await using relay = await place.started();
  await relay.during(place.read('public.ledger', 2), 'the first rows');
  await pair.source.query(`alter table ledger add amount numeric(8,2)`);
  await pair.source.query(`insert into ledger values (3, null, 1.50)`);
  const found = await relay.during(place.read('public.ledger', 3), 'all rows');
  const rows = found.map((message) => envelopeOf(message).after);
  expect(rows).toHaveLength(3);
  expect(rows).toEqual(
    expect.arrayContaining([
      { id: 1, gone: 'x' },
      { id: 2, paint: 'red' },
      { id: 3, paint: null, amount: '1.50' },
    ]),
  );
  expect(await relay.stop()).toBe(0);
});

test('a row that its topic does not take stops the relay, with the table, and is there once it may be', async () => {
  await using pair = await freshPair();
  using place = await RelayPlace.open(pair, bootstrap, { KAFKA_COMPRESSION: 'none' });
  await using relay = await place.started();
  await place.limit('public.office', 600_000);
  const large = (id: number) =>
    `insert into office select ${id}, string_agg(md5(i::text), ''), null from generate_series(1, 25000) i`;
  await pair.source.query(`${large(1)}; insert into office values (2, 'behind', null)`);
  expect(await relay.exited, relay.output).toBe(1);
  expect(relay.output).toMatch(/MESSAGE_TOO_LARGE table=office key=id topic=\S+ bytes=8\d{5}/);
  expect(relay.output).toContain('max.message.bytes');

  await place.limit('public.office', 16_000_000);
  await using again = await place.started();
  // What went with it in the first attempt, to another partition, may be there twice.
  const rows = async () => {
    const found = await place.read('public.office', 2);
    return new Set(found.map(({ key }) => String(key))).size === 2;
  };
  await again.during(waitFor(rows, { what: 'both rows' }), 'both rows');
});

test('heartbeats come behind the changes, and the numbers of the relay are served', async () => {
  await using pair = await freshPair();
  const port = await freePort();
  using place = await RelayPlace.open(pair, bootstrap, { HEARTBEAT_SECONDS: '1' });
  await using relay = await place.started({ METRICS_PORT: String(port) });
  await pair.source.query(`insert into office values (1, 'a', null); delete from office`);
  const [beat] = await relay.during(place.read('message', 1), 'a heartbeat');
  expect(envelopeOf(beat as Read)).toMatchObject({
    op: 'm',
    message: { prefix: 'tandem.heartbeat' },
  });
  const page = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  await waitFor(async () => (await page('/readyz')).status === 200, { what: 'to be ready' });
  expect((await page('/healthz')).status).toBe(200);
  const text = await (await page('/metrics')).text();
  expect(text).toMatch(/^tandem_relay_changes_total\{table="office",operation="create"\} 1$/m);
  expect(text).toMatch(/^tandem_relay_changes_total\{table="office",operation="delete"\} 1$/m);
  expect(text).toMatch(/^tandem_relay_lag_seconds \d/m);
  expect(text).toMatch(/^tandem_relay_position_bytes \d/m);
});

test('without a stream that was set up, it says so', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair, { KAFKA_BROKERS: bootstrap });
  const { code, err } = await work.run('relay');
  expect(code).toBe(1);
  expect(err).toContain('NOT_SET_UP');
});
