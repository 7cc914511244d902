import { DAY_MS, NOW, timestamp } from '../moment.ts';
import { spread } from '../load/spread.ts';
import type { Cell, Row, RowSource } from '../load/row.ts';
import { ODD_TEXTS, outOfLineText, prose } from '../prose.ts';
import type { Random } from '../random.ts';
import { contentTypeId, GROUPS } from '../reference-ids.ts';
import { at, pickFrom } from '../world/ids.ts';
import type { World } from '../world/world.ts';

type Planted = Readonly<Record<string, Cell>>;

const MISSING_ID = 2_000_000_000;

/** T51 to T54: what a record can point at beside patients and users. */
function plantedTargets(world: World): Planted[] {
  const { plans, orders, offices, people } = world;
  const target = (label: string, id: number, type: number | null): Planted => ({
    target_type_id: contentTypeId(label),
    target_id: id,
    type,
  });
  const missing = ['dispatch.patient', 'dispatch.user', 'dispatch.plan', 'dispatch.file'];
  return [
    target('dispatch.instruction', at(orders.instructions, 5).id, 5),
    target('dispatch.project', at(plans.projects, 4).id, 6),
    target('dispatch.project', at(plans.projects, 32).id, 6), // a project without plan
    target('dispatch.plan', at(plans.plans, 7).id, 6),
    target('dispatch.task', at(world.taskIds, 9), 8),
    target('dispatch.file', at(world.fileIds, 12), 6),
    target('dispatch.office', at(offices, 2).id, 6),
    target('auth.user', at(people.doctors, 0).id, 3),
    target('auth.user', at(world.patients, 9).userId, 3), // a doctor who is a patient too
    target('dispatch.comment', 1, 6), // T53: no column for these on the target side
    target('dispatch.order', 2, 5),
    target('dispatch.record', at(world.recordIds, 0), 8),
    target('sessions.session', 17, 6),
    target('contenttypes.contenttype', 5, 5),
    ...missing.map((label, i) => target(label, MISSING_ID + i, 5)),
    { target_type_id: null, target_id: 0, type: null }, // T51, T55
    { target_type_id: null, target_id: at(world.patients, 3).id, type: 5 },
    { type: null },
    { type: 77 },
    { public: null, author_id: null, group_id: null },
    { created_at: '2018-03-25 01:30:00.000001+00' },
    { created_at: '2031-01-01 00:00:00+00' },
    ...ODD_TEXTS.map((text) => ({ text })), // T57
  ];
}

type Target = Pick<World, 'patients' | 'people'>;

/** 97.9% about patients, 2.1% to users, 0.05% lost: the kinds go with the targets (T52, T56). */
function target(random: Random, progress: number, { patients, people }: Target): Row {
  if (random.chance(0.0213)) {
    const addressee = random.chance(0.8) ? people.doctors : people.staff;
    const target_id = random.pick(addressee).id;
    return { target_type_id: contentTypeId('dispatch.user'), target_id, type: 3 };
  }
  if (random.chance(0.0002)) return { target_type_id: null, target_id: 0, type: null };
  const lost = random.chance(0.0003);
  const rank = Math.floor(Math.sqrt(random.next()) * progress * patients.length);
  return {
    target_type_id: contentTypeId('dispatch.patient'),
    target_id: lost ? MISSING_ID + rank : at(patients, rank).id,
    type: random.weighted([
      [31_734, 5],
      [25_621, 6],
      [2310, 8],
    ]),
  };
}

function* recordRows(world: World): Generator<Row> {
  const random = world.random.fork('dispatch_record');
  const count = world.recordIds.length;
  const planted = spread(plantedTargets(world), count);
  const firstDay = at(world.patients, 0).joinedMs;
  for (let i = 0; i < count; i += 1) {
    const progress = (i + 1) / (count + 1);
    const author = random.chance(0.7)
      ? random.pick(world.people.staff)
      : pickFrom(random, world.people.doctors);
    const large = i === 2 || random.chance(0.001);
    yield {
      id: at(world.recordIds, i),
      created_at: timestamp(firstDay + progress * (NOW - firstDay - DAY_MS), random.int(0, 999)),
      text: large ? outOfLineText(random) : prose(random, random.int(1, 5)),
      author_id: random.chance(0.011) ? null : author.id,
      ...target(random, progress, world),
      group_id: random.chance(0.2) ? random.pick(Object.values(GROUPS)) : null,
      public: random.chance(0.01) ? null : random.chance(0.6),
      ...planted(i),
    };
  }
}

export function recordTables(world: World): RowSource[] {
  const total = world.recordIds.length;
  return [{ table: 'dispatch_record', rows: recordRows(world), total }];
}
