import { expect, test } from 'vitest';
import { inTransaction } from '../../connectors/postgres/transaction.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';

async function withNotes(): Promise<TestDatabase> {
  const db = await freshDatabase();
  await db.query('create table note (id int primary key)');
  return db;
}

const notes = async (db: TestDatabase) =>
  (await db.query('select id from note order by id')).map(({ id }) => id);

test('what is done in a transaction stays, and its result is handed on', async () => {
  await using db = await withNotes();
  const client = await db.client();
  const result = await inTransaction(client, async () => {
    await client.query('insert into note values (1)');
    expect(await notes(db)).toEqual([]);
    return 'done';
  });
  expect(result).toBe('done');
  expect(await notes(db)).toEqual([1]);
});

test('nothing stays of a transaction that failed, and its session goes on', async () => {
  await using db = await withNotes();
  const client = await db.client();
  const failing = inTransaction(client, async () => {
    await client.query('insert into note values (1)');
    await client.query('insert into note values (1)');
  });
  await expect(failing).rejects.toMatchObject({ code: '23505' });
  await inTransaction(client, () => client.query('insert into note values (2)'));
  expect(await notes(db)).toEqual([2]);
});

test('a rollback that fails does not hide why', async () => {
  await using db = await withNotes();
  const client = await db.client();
  const why = new Error('the first');
  const failing = inTransaction(client, async () => {
    await client.end();
    throw why;
  });
  await expect(failing).rejects.toBe(why);
});
