import { beforeAll, expect, test } from 'vitest';
import { freshPair, type TestPair } from '../harness/database.ts';
import { everythingBut } from '../harness/everything.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { Workplace } from '../integration/cli-run.ts';
import { editedMapping } from '../integration/control-workplace.ts';
import { WrittenLog } from './written-log.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

type Shadowed = {
  readonly log: {
    readonly messages: number;
    readonly newer: number;
    readonly unseenByJournals: number;
  };
  readonly entities: readonly {
    readonly entity: string;
    readonly roots: number;
    readonly tables: readonly object[];
    readonly outcomes: readonly object[];
  }[];
  readonly tables: readonly { readonly table: string; readonly rows: number }[];
};

async function shadowed(work: Workplace, ...options: string[]): Promise<Shadowed> {
  const { code, out, err } = await work.run(
    'reprocess',
    '--into-shadow',
    'preview',
    '--json',
    ...options,
  );
  expect(code, err).toBe(0);
  return JSON.parse(out) as Shadowed;
}

/** The live tables, the mirror and all that is remembered, but for what says that the stream is alive. */
const live = ({ target }: TestPair) => everythingBut(target, 'preview', ['public', 'legacy']);
const PART = ['--topic', 'office', '--from-offset', '0'];

test('a part of the log with another mapping: what differs is what the change of the mapping makes', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  const { target } = pair;
  await using child = await log.running();
  const messages = [];
  for (const [id, name] of [
    [80, 'a'],
    [81, 'b'],
    [82, 'closed'],
    [83, 'd'],
  ] as const) {
    messages.push(await log.upsert('office', { id, name }));
  }
  messages.push(await log.remove('office', 83));
  await log.send('office', messages);
  await log.caughtUp(child);

  using same = new Workplace({ ...log.work.environment });
  const before = await live(pair);
  expect(await shadowed(same, ...PART)).toMatchObject({
    log: { messages: 5, newer: 0 },
    entities: [{ entity: 'office', roots: 4, tables: [], outcomes: [] }],
    tables: [{ table: 'offices', rows: 2 }],
  });
  using edited = new Workplace(
    editedMapping(
      log.work,
      ['name: root.name });', `name: root.id === 81 ? root.name + '!' : root.name });`],
      [`if (root.name === 'closed') return excluded('closed_office');`, ''],
    ),
  );
  const found = await shadowed(edited, ...PART);
  expect(found.entities).toMatchObject([
    {
      entity: 'office',
      roots: 4,
      tables: [{ table: 'offices', inserted: 1, changed: 1, removed: 0, columns: { name: 1 } }],
      outcomes: [{ list: 'excluded', becomes: 'taken off', of: 'closed_office', count: 1 }],
    },
  ]);
  const rows = await target.query(`select name from preview.offices order by name`);
  expect(rows.map(({ name }) => name)).toEqual(['a', 'b!', 'closed']);
  expect(await live(pair)).toBe(before);

  // The stream has not noticed, with the mapping that it has.
  await log.send('office', [await log.upsert('office', { id: 81, name: 'later' })]);
  await log.caughtUp(child);
  expect(
    await target.query(`select name from offices where id = tandem.uuid_of('office', 81)`),
  ).toEqual([{ name: 'later' }]);
  expect(child.events('kafka.assigned')).toHaveLength(1);
  expect(await child.stop()).toBe(0);
  await log.expectAgreement();
}, 90_000);

test('what the part makes newer than the mirror is in the shadow, and not in the mirror', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  const { target } = pair;
  await (await log.running()).stop();
  // Nobody consumes: none of it is in the mirror. A row that is there goes, another comes and changes.
  await log.send('office', [
    await log.upsert('office', { id: 80, name: 'a' }),
    await log.upsert('office', { id: 80, name: 'b' }),
    await log.upsert('office', { id: 1, name: 'south' }),
    await log.upsert('office', { id: 3, name: 'open' }),
    await log.remove('office', 3),
  ]);
  await log.send('visit', [
    await log.upsert('visit', { id: 1, patient_id: 1, room: 'z' }),
    await log.remove('visit', 1),
  ]);
  const before = await everythingBut(target, 'preview');
  const office = await shadowed(log.work, ...PART);
  expect(office).toMatchObject({
    log: { messages: 5, newer: 3, unseenByJournals: 0 },
    entities: [
      {
        entity: 'office',
        roots: 3,
        tables: [{ table: 'offices', inserted: 1, changed: 1, removed: 0, columns: { name: 1 } }],
        outcomes: [{ list: 'excluded', becomes: 'taken off', of: 'closed_office' }],
      },
    ],
  });
  const rows = await target.query(`select name from preview.offices order by name`);
  expect(rows.map(({ name }) => name)).toEqual(['b', 'south']);
  const visit = await shadowed(log.work, '--topic', 'visit', '--from-offset', '0');
  expect(visit).toMatchObject({
    log: { messages: 2, newer: 1 },
    entities: [{ entity: 'visit', roots: 1, tables: [{ table: 'visits', removed: 1 }] }],
  });
  expect(await everythingBut(target, 'preview')).toBe(before);

  // And a real run makes of it what the shadow has.
  await log.done('reprocess', ...PART);
  const names = await target.query(`select name from offices order by name`);
  expect(names.map(({ name }) => name)).toEqual(['b', 'south']);
}, 60_000);

test('a row that is missing in the live table shows as one that would come', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  await (await log.running()).stop();
  await log.send('office', [await log.upsert('office', { id: 80, name: 'a' })]);
  await log.done('reprocess', ...PART);
  await pair.target.query(`delete from offices where id = tandem.uuid_of('office', 80)`);
  const { out } = await log.done('reprocess', ...PART, '--into-shadow', 'preview');
  expect(out).toContain(
    '1 messages, 1 changes\noffice: 1 roots\n  offices: 1 inserted; for example 80',
  );
  await log.done('reprocess', ...PART);
  const again = await log.done('reprocess', ...PART, '--into-shadow', 'preview');
  expect(again.out).toContain('no row differs from the live tables');
}, 60_000);
