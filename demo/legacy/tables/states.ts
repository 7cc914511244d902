import { DAY_MS, NOW, timestamp } from '../moment.ts';
import type { Row, RowSource } from '../load/row.ts';
import type { Random } from '../random.ts';
import { gappedIds, at, pickFrom } from '../world/ids.ts';
import type { World } from '../world/world.ts';

type Entry = Omit<Row, 'id'>;

/** One switch after the other; now and then repeated, or switched off without being on (T42). */
function entriesOf(random: Random, instructionId: number, submittedMs: number): Entry[] {
  const count = random.weighted([
    [55, 1],
    [28, 2],
    [10, 3],
    [5, 4],
    [2, 6],
  ]);
  const entries: Entry[] = [];
  let ms = submittedMs;
  let status = random.chance(0.7) ? 11 : 12;
  let on = !random.chance(0.04);
  for (let i = 0; i < count; i += 1) {
    ms = Math.min(NOW, ms + Math.floor(random.next() * 20 * DAY_MS));
    entries.push({
      status,
      on,
      changed_at: timestamp(ms, random.int(0, 999)),
      instruction_id: instructionId,
    });
    if (random.chance(0.2)) status = status === 11 ? 12 : 11;
    else if (!random.chance(0.05)) on = !on;
  }
  return entries;
}

function swap(entries: Entry[], i: number, j: number): void {
  const held = at(entries, i);
  entries[i] = at(entries, j);
  entries[j] = held;
}

/**
 * T41: ids do not follow the time. Old entries were imported in 2022 under low ids, and a share of
 * neighbours is swapped. T43: the last but one entry of an order sometimes has the highest id.
 */
function shuffled(random: Random, entries: Entry[]): Entry[] {
  const imported = entries.splice(
    Math.floor(entries.length * 0.6),
    Math.ceil(entries.length * 0.05),
  );
  entries.unshift(...imported);
  for (let i = 10; i < entries.length; i += 1) {
    if (random.chance(0.06)) swap(entries, i, i - random.int(1, 3));
  }
  return entries;
}

function stateRows(world: World): Row[] {
  const random = world.random.fork('dispatch_state');
  const count = world.counts.dispatch_state;
  const { instructions } = world.orders;
  const entries: Entry[] = [];
  const share = (count / instructions.length) * 0.58;
  for (const { id, submittedMs } of instructions) {
    // The log was used more and more: most entries are of the last years.
    const place = submittedMs / 1.763e12;
    if (random.chance(share * 1.6 * place ** 12))
      entries.push(...entriesOf(random, id, submittedMs));
  }
  while (entries.length < count) {
    const instruction = pickFrom(random, instructions);
    entries.push(...entriesOf(random, instruction.id, instruction.submittedMs));
  }
  const rows = shuffled(random, entries.slice(0, count));
  const twin = at(rows, 30);
  rows[31] = { ...twin, status: twin['status'] === 11 ? 12 : 11 }; // T41: the same instant
  plantLateEntry(rows);
  const ids = gappedIds(random, { first: 1, count, gapShare: 0.01, maxGap: 4 });
  return rows.map((entry, i) => ({
    id: at(ids, i),
    ...entry,
    actor_id: i === 3 || random.chance(0.043) ? null : random.pick(world.people.staff).id,
  }));
}

/** T42, T43: on twice; then an off that arrives last but lies between two entries. */
function plantLateEntry(rows: Entry[]): void {
  const instructionId = at(rows, rows.length - 1)['instruction_id'] ?? null;
  const entry = (on: boolean, changedAt: string): Entry => ({
    status: 11,
    on,
    changed_at: changedAt,
    instruction_id: instructionId,
  });
  const times = ['2025-10-01 08:00:00.5+00', '2025-10-20 08:00:00+00', '2025-10-26 00:30:00+00'];
  const planted = times.map((time) => entry(true, time));
  planted.push(entry(false, '2025-10-09 12:00:00.000001+00'));
  rows.splice(rows.length - planted.length, planted.length, ...planted);
}

export function stateTables(world: World): RowSource[] {
  const rows = stateRows(world);
  return [{ table: 'dispatch_state', rows, total: rows.length }];
}
