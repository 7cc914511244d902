import { afterAll, beforeAll, expect, test } from 'vitest';
import { DriftBench } from '../harness/drift-bench.ts';
import { driftModules } from '../harness/drift-modules.ts';
import { openPath, type OpenPath, type Path } from '../harness/paths.ts';
import { newSeed } from '../harness/seed.ts';
import { tandem, TandemProcess, type Settings } from '../harness/tandem-process.ts';

// The tables of the source change, under traffic: the same becomes of it whoever writes the log, and in
// either form.

const PATHS: readonly Path[] = ['direct', 'relay-avro', 'debezium-json'];

type Lane = {
  readonly path: Path;
  readonly bench: DriftBench;
  readonly way: OpenPath;
  settings: Settings;
  child: TandemProcess;
};

const modules = driftModules();
const lanes: Lane[] = [];
let first: DriftBench;
const alter = (sql: string) => first.source.query(sql);

async function openLane(path: Path, bench: DriftBench): Promise<Lane> {
  const slot = bench.target.name;
  const way = await openPath(path, {
    SOURCE_URL: bench.source.connectionString,
    TARGET_URL: bench.target.connectionString,
    TANDEM_SLOT: slot,
    TANDEM_PUBLICATION: slot,
    HEARTBEAT_SECONDS: '1',
    CHUNK_ROWS: '300',
    ON_TRUNCATE: 'apply',
    MAPPING: modules.file('PLAIN'),
  });
  const { run, settings } = way;
  return { path, bench, way, settings, child: new TandemProcess([...run], settings) };
}

/** The same for all, side by side; a failure names the path and what its process said. */
async function each(work: (lane: Lane) => Promise<unknown>): Promise<void> {
  await Promise.all(
    lanes.map((lane) =>
      work(lane).catch((error: unknown) => {
        const said = `${lane.child.output}${lane.way.relay?.now.output ?? ''}`;
        throw new Error(`${lane.path}: ${String(error)}: ${said}`, { cause: error });
      }),
    ),
  );
}

/** All paths are read at a time, so their changes come at a measured pace. */
const writers = () => first.writers(newSeed(), 20);

/** Waits until a table of the mirror is in this state. */
const becomes = ({ bench, child }: Lane, table: string, state: string) =>
  child.during(bench.state(table, state, 120_000), `${table} ${state}`, 121_000);

async function caughtUp({ settings }: Lane): Promise<void> {
  const { code, output } = await tandem(['status', '--caught-up', '--timeout', '120s'], settings);
  expect(code, output).toBe(0);
}

async function expectAgreement({ bench }: Lane): Promise<void> {
  await bench.expectMirror('office', ['id', 'name', 'note']);
  await bench.expectMirror('patient', ['id', 'office_id', 'name', 'story', 'height']);
  await bench.expectMirror('visit', ['id', 'patient_id', 'words']);
  await bench.expectTarget({ with: 'height' });
}

beforeAll(async () => {
  first = await DriftBench.open();
  await alter('alter table patient drop column height');
  const benches = [first];
  while (benches.length < PATHS.length) benches.push(await DriftBench.beside(first));
  const opening = PATHS.map(async (path, i) => {
    lanes.push(await openLane(path, benches[i] ?? first));
  });
  await Promise.all(opening);
  await each(caughtUp);
}, 600_000);

afterAll(async () => {
  const end = async ({ bench, way, child }: Lane) => {
    await child[Symbol.asyncDispose]();
    await way[Symbol.asyncDispose]();
    if (bench !== first) await bench[Symbol.asyncDispose]();
  };
  await Promise.all(lanes.map(end));
  await first[Symbol.asyncDispose]();
  modules[Symbol.dispose]();
}, 120_000);

test('a column becomes wider, another one and a table join the stream', async () => {
  await using writing = await writers();
  await alter(`alter table patient alter column name type varchar(30);
    alter table patient add column height int`);
  await alter(`update patient set name = repeat('w', 30), height = 3 where id = 1`);
  await each(async (lane) => {
    await lane.child.stop('SIGTERM');
    const MAPPING = modules.file('GROWN');
    await lane.way.follow(MAPPING);
    lane.settings = { ...lane.settings, MAPPING };
    lane.child = new TandemProcess([...lane.way.run], lane.settings);
    await becomes(lane, 'visit', 'active');
    await becomes(lane, 'patient', 'active');
  });
  await writing.stop();
  await each(caughtUp);
  await each(expectAgreement);
}, 240_000);

test('a table is truncated', async () => {
  await using writing = await writers();
  await alter('truncate visit');
  await alter(`insert into visit values (1, 1, 'behind it')`);
  await writing.stop();
  await each(caughtUp);
  await each(expectAgreement);
}, 240_000);

test('a column that the mapping reads goes: its table stops, by name, the others go on; it comes back, and all is there', async () => {
  await using writing = await writers();
  await alter('alter table patient rename column name to called');
  await alter(`update patient set story = repeat('without', 500) where id < 50`);
  await each(async (lane) => {
    const { reason } = await becomes(lane, 'patient', 'stopped');
    expect(reason).toContain('column name');
  });
  await alter(`insert into office (id, name) values (9000, 'meanwhile')
    on conflict (id) do nothing`);
  await each(({ bench, child }) =>
    child.during(bench.expectRow(`offices where name = 'meanwhile'`), 'an office', 60_000),
  );
  await alter('delete from patient where id between 100 and 120');
  await alter('alter table patient rename column called to name');
  await alter('update patient set height = 5 where id < 60');
  await each((lane) => becomes(lane, 'patient', 'active'));
  await writing.stop();
  await each(caughtUp);
  await each(expectAgreement);
}, 240_000);
