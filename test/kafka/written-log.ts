import { setTimeout as pause } from 'node:timers/promises';
import kafkajs, { type Admin, type Message, type Producer } from 'kafkajs';
import { expect } from 'vitest';
import { registerCodecs } from '../../connectors/kafka/codecs.ts';
import type { TestPair } from '../harness/database.ts';
import { freshPrefix, kafkaClient } from '../harness/kafka-stack.ts';
import { TandemProcess, type Settings } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import type { Ran, Workplace } from '../integration/cli-run.ts';
import { recordsWorkplace } from '../integration/records-workplace.ts';

type WrittenOptions = {
  readonly isLoaded?: boolean;
  readonly configEntries?: { readonly name: string; readonly value: string }[];
};

type Row = Readonly<Record<string, number | string | null>>;

/**
 * A source whose log the test writes itself, as the relay would: a change in the source, then its
 * message, then the slot moves on. So it can write what nobody should, and lose what it likes.
 */
export class WrittenLog implements AsyncDisposable {
  readonly pair: TestPair;
  readonly work: Workplace;
  readonly prefix: string;
  readonly admin: Admin;
  #producer: Producer;
  readonly #bootstrap: string;
  #isOver = false;
  #confirming: Promise<void> = Promise.resolve();

  private constructor(pair: TestPair, work: Workplace, bootstrap: string, prefix: string) {
    registerCodecs();
    this.pair = pair;
    this.work = work;
    this.prefix = prefix;
    this.#bootstrap = bootstrap;
    const kafka = kafkaClient(bootstrap);
    this.admin = kafka.admin();
    this.#producer = this.#newProducer();
  }

  /**
   * Set up and loaded, and its topics made.
   *
   * @param isLoaded false: it is only set up
   * @param configEntries of the topics
   */
  static async open(
    pair: TestPair,
    bootstrap: string,
    settings: Settings = {},
    { isLoaded = true, configEntries = [] }: WrittenOptions = {},
  ): Promise<WrittenLog> {
    const prefix = freshPrefix();
    const work = await recordsWorkplace(pair, {
      KAFKA_BROKERS: bootstrap,
      KAFKA_TOPIC_PREFIX: prefix,
      KAFKA_GROUP: prefix,
      KAFKA_PARTITIONS: '1',
      KAFKA_REPLICATION: '1',
      LOG_LEVEL: 'info',
      ...settings,
    });
    const log = new WrittenLog(pair, work, bootstrap, prefix);
    await log.admin.connect();
    const tables = ['office', 'patient', 'visit', 'link'].map((table) => log.topic(table));
    const topics = [...tables, `${prefix}.message`, `${prefix}.dead-letter`];
    await log.admin.createTopics({
      topics: topics.map((topic) => ({ topic, numPartitions: 1, configEntries })),
      waitForLeaders: true,
    });
    await log.#producer.connect();
    for (const command of isLoaded ? ['setup', 'backfill'] : ['setup']) await log.done(command);
    log.#confirming = log.#confirm();
    return log;
  }

  #newProducer(): Producer {
    return kafkaClient(this.#bootstrap).producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
  }

  topic(table: string): string {
    return `${this.prefix}.public.${table}`;
  }

  /** A command that ends well. */
  async done(...argv: string[]): Promise<Ran> {
    const ran = await this.work.run(...argv);
    expect(ran.code, `tandem ${argv.join(' ')}: ${ran.err}${ran.out}`).toBe(0);
    return ran;
  }

  run(settings: Settings = {}, ...options: string[]): TandemProcess {
    const args = ['run', '--from', 'kafka', ...options];
    return new TandemProcess(args, { ...this.work.environment, ...settings });
  }

  /** Started, and having joined the group. */
  async running(settings: Settings = {}, ...options: string[]): Promise<TandemProcess> {
    const child = this.run(settings, ...options);
    await child.logged('streaming');
    return child;
  }

  /** Inserts or updates a row, and returns its message. */
  async upsert(table: string, row: Row): Promise<Message> {
    const names = Object.keys(row);
    const [key = 'id'] = names;
    const values = names.map((_, i) => `$${i + 1}`).join(', ');
    const set = names.map((name) => `${name} = excluded.${name}`).join(', ');
    return await this.#written(table, { op: 'u', before: null, after: row }, () =>
      this.pair.source.query(
        `insert into ${table} (${names.join(', ')}) values (${values})
         on conflict (${key}) do update set ${set}`,
        Object.values(row),
      ),
    );
  }

  async remove(table: string, id: number): Promise<Message> {
    return await this.#written(table, { op: 'd', before: { id }, after: null }, () =>
      this.pair.source.query(`delete from ${table} where id = $1`, [id]),
    );
  }

  async #written(
    table: string,
    change: { readonly op: string; readonly before: Row | null; readonly after: Row | null },
    write: () => Promise<unknown>,
  ): Promise<Message> {
    const place = async () => {
      const [row] = await this.pair.source.query(
        `select (pg_current_wal_insert_lsn() - '0/0')::text as at`,
      );
      return String(row?.['at']);
    };
    const before = await place();
    await write();
    const sequence = JSON.stringify([before, await place()]);
    const id = (change.after ?? change.before)?.['id'];
    const source = { table, schema: 'public', sequence, ts_us: Date.now() * 1000 };
    return { key: JSON.stringify({ id }), value: JSON.stringify({ ...change, source }) };
  }

  /** What Debezium's snapshot says of a table, as it is now. */
  async snapshot(table: string, ...key: string[]): Promise<Message[]> {
    const rows = await this.pair.source.query(`select * from ${table} order by 1`);
    const [row] = await this.pair.source.query(
      `select (pg_current_wal_insert_lsn() - '0/0')::text as at`,
    );
    const sequence = JSON.stringify([null, String(row?.['at'])]);
    const source = { table, schema: 'public', sequence, ts_us: Date.now() * 1000 };
    return rows.map((after) => ({
      key: JSON.stringify(Object.fromEntries(key.map((name) => [name, after[name]]))),
      value: JSON.stringify({ op: 'r', before: null, after, source }),
    }));
  }

  /** To the topic of a table, in this order. */
  async send(table: string, messages: Message[]): Promise<void> {
    await this.sendTo(this.topic(table), messages);
  }

  async sendTo(topic: string, messages: Message[]): Promise<void> {
    await this.#producer.send({ topic, messages });
  }

  /** A producer that knows what the topics are now. */
  async reconnect(): Promise<void> {
    await this.#producer.disconnect();
    this.#producer = this.#newProducer();
    await this.#producer.connect();
  }

  /** Again and again, as the relay confirms what it has handed over. */
  async #confirm(): Promise<void> {
    while (!this.#isOver) {
      await this.pair.source.query(
        `select pg_replication_slot_advance($1, pg_current_wal_flush_lsn())`,
        [this.work.environment['TANDEM_SLOT']],
      );
      await pause(100);
    }
  }

  /** Waits until all that was committed by now is in the target, and nothing is open. */
  async caughtUp(child: TandemProcess): Promise<void> {
    const [now] = await this.pair.source.query(`select pg_current_wal_insert_lsn()::text as at`);
    const settled = waitFor(
      async () => {
        const [row] = await this.pair.target.query(
          `select position::pg_lsn >= $1::pg_lsn and not exists (select from tandem.job)
             and not exists (select from tandem.mirror where loaded_at is null or state <> 'active'
               or read_until > position::pg_lsn) as is_there
           from tandem.position`,
          [now?.['at']],
        );
        return row?.['is_there'] === true;
      },
      { what: 'the target to have caught up', timeoutMs: 30_000, intervalMs: 100 },
    );
    await child.during(settled, 'caught up', 31_000);
  }

  /** Mirror = source, target = mirror, and the account, by its own proof. */
  async expectAgreement(): Promise<void> {
    const { code, out, err } = await this.work.run('verify');
    expect(code, out + err).toBe(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#confirming;
    await this.#producer.disconnect();
    await this.admin.disconnect();
    this.work[Symbol.dispose]();
  }
}
