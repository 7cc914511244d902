import { DAY_MS, FIRST_BUSINESS_DAY, NOW, timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import { ODD_TEXTS, outOfLineText, prose } from '../prose.ts';
import { at } from '../world/ids.ts';
import type { World } from '../world/world.ts';

/** T57, T58: the last one sits on a plan whose order is deleted. */
function oddComments({ plans: { plans } }: World): Overrides[] {
  const ofDeleted = plans.find((plan) => plan.instruction.deleted) ?? at(plans, 0);
  return [
    { text: null },
    ...ODD_TEXTS.map((text) => ({ text })),
    { author_id: null },
    { created_at: '2018-03-22 00:00:00.000001+00' },
    { plan_id: ofDeleted.id },
  ];
}

function* commentRows(world: World): Generator<Row> {
  const random = world.random.fork('dispatch_comment');
  const count = world.counts.dispatch_comment;
  const { plans } = world.plans;
  const odd = spread(oddComments(world), count);
  for (let i = 0; i < count; i += 1) {
    const plan = at(plans, Math.floor((i / count) * plans.length));
    const created = Math.min(NOW, plan.instruction.submittedMs + random.int(1, 30) * DAY_MS);
    const author = random.chance(0.5) ? world.people.staff : world.people.doctors;
    const row = {
      id: i + 12,
      created_at: timestamp(created, random.int(0, 999)),
      text: prose(random, random.int(1, 7)),
      author_id: random.pick(author).id,
      plan_id: plan.id,
    };
    yield withOverrides(row, odd(i));
  }
}

/** T59: on a doctor who is not detectable, without text; notes long enough to be out of line. */
function* noteRows({ people, random: root, counts }: World): Generator<Row> {
  const random = root.fork('dispatch_note');
  const count = counts.dispatch_note;
  const odd = spread<Overrides>(
    [
      { text: '' },
      { author_id: null },
      { doctor_id: at(people.staff, 7).id },
      { text: outOfLineText(random) },
    ],
    count,
  );
  for (let i = 0; i < count; i += 1) {
    const span = NOW - FIRST_BUSINESS_DAY - DAY_MS;
    const row = {
      id: i + 1,
      created_at: timestamp(
        FIRST_BUSINESS_DAY + (0.4 + (0.6 * i) / count) * span,
        random.int(0, 999),
      ),
      text: prose(random, random.int(1, 8)),
      author_id: at(people.staff, random.int(0, Math.min(20, people.staff.length - 1))).id,
      doctor_id: random.pick(people.doctors).id,
    };
    yield withOverrides(row, odd(i));
  }
}

export function commentTables(world: World): RowSource[] {
  const { dispatch_comment: comments, dispatch_note: notes } = world.counts;
  return [
    { table: 'dispatch_comment', rows: commentRows(world), total: comments },
    { table: 'dispatch_note', rows: noteRows(world), total: notes },
  ];
}
