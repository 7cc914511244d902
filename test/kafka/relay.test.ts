import { beforeAll, expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { waitFor } from '../harness/wait-for.ts';
import { envelopeOf, RelayPlace } from './relay-place.ts';

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
