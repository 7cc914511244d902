import fc from 'fast-check';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { SourceReader } from '../../core/ports.ts';
import { keyText } from '../../core/mirror-table.ts';
import type { Version } from '../../core/version.ts';
import { UNCHANGED, version, type Bench, type LegacyRow, type SentRow } from './apply-bench.ts';
import type { LegacyState } from './small-expected.ts';

/** One step of a random history; numbers are read as the table needs them. */
type Step = {
  readonly table: number;
  readonly kind: 'put' | 'put again' | 'delete' | 'move';
  readonly key: number;
  readonly other: number;
  readonly values: readonly number[];
  /** An update leaves the large column alone, so that its value is not sent. */
  readonly keepsLarge: boolean;
  readonly endsTransaction: boolean;
};

const small = fc.integer({ min: 1, max: 4 });
export const step: fc.Arbitrary<Step> = fc.record({
  table: fc.nat({ max: 99 }),
  kind: fc.constantFrom('put', 'put', 'put', 'put again', 'put again', 'delete', 'delete', 'move'),
  key: small,
  other: small,
  values: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 5, maxLength: 5 }),
  keepsLarge: fc.boolean(),
  endsTransaction: fc.boolean(),
});

export type Maker = {
  readonly table: string;
  /** How often it is chosen. */
  readonly weight: number;
  readonly large: string | null;
  readonly key: (n: number) => LegacyRow;
  readonly rest: (values: readonly number[]) => LegacyRow;
};

const at = (values: readonly number[], i: number) => values[i] ?? 0;
const orNull = (n: number) => (n === 0 || n === 5 ? null : n);
const single = (n: number): LegacyRow => ({ id: n });
const NAMES = ['ada', 'ben', 'eva', 'robot', 'rejected', 'boom'];
const TYPES = ['instruction', 'instruction', 'patient', 'patient', 'office', 'user'];

/** Every table of the small legacy schema, and random rows for it. */
export const MAKERS: readonly Maker[] = [
  {
    table: 'auth_user',
    weight: 3,
    large: null,
    key: single,
    rest: (v) => ({
      name: NAMES[at(v, 0)] ?? 'ada',
      last_login: at(v, 1) === 0 ? null : `2024-01-0${at(v, 1)} 10:00:00+00`,
    }),
  },
  {
    table: 'office',
    weight: 2,
    large: null,
    key: single,
    rest: (v) => ({ name: `office ${at(v, 0)}`, parent_id: orNull(at(v, 1)) }),
  },
  {
    table: 'patient',
    weight: 3,
    large: 'note',
    key: single,
    rest: (v) => ({
      user_id: Math.max(1, at(v, 0)),
      office_id: orNull(at(v, 1)),
      doctor_id: orNull(at(v, 2)),
      note: `note ${at(v, 3)}${at(v, 4)}`,
    }),
  },
  {
    table: 'instruction',
    weight: 4,
    large: 'notes',
    key: single,
    rest: (v) => ({
      patient_id: Math.max(1, at(v, 0)),
      status: at(v, 1),
      notes: `notes ${at(v, 4)}`,
      upper_jaw_id: orNull(at(v, 2)),
      lower_jaw_id: orNull(at(v, 3)),
    }),
  },
  {
    table: 'jaw',
    weight: 1,
    large: null,
    key: single,
    rest: (v) => ({ kind: `kind ${at(v, 0)}` }),
  },
  {
    table: 'instruction_state',
    weight: 3,
    large: null,
    key: single,
    rest: (v) => ({
      instruction_id: Math.max(1, Math.min(2, at(v, 0))),
      status: at(v, 1),
      set_at: `2024-02-0${1 + at(v, 2)} 10:00:00+00`,
    }),
  },
  {
    table: 'office_user',
    weight: 1,
    large: null,
    key: (n) => ({ office_id: 1 + (n % 2), user_id: 1 + (n >> 1) }),
    rest: (v) => ({ label: at(v, 0) === 0 ? null : `label ${at(v, 0)}` }),
  },
  {
    table: 'django_content_type',
    weight: 1,
    large: null,
    key: single,
    rest: (v) => ({ app_label: 'dispatch', model: TYPES[at(v, 0)] ?? 'user' }),
  },
  {
    table: 'record',
    weight: 3,
    large: 'body',
    key: single,
    rest: (v) => ({
      content_type_id: orNull(at(v, 0)),
      object_id: orNull(at(v, 1)),
      body: at(v, 2) === 0 ? null : `body ${at(v, 2)}`,
    }),
  },
];
const CHOICE = MAKERS.flatMap((maker) => Array.from({ length: maker.weight }, () => maker));

/** A history of the source, as the stream would bring it. */
export type History = {
  readonly events: readonly ChangeEvent[];
  /** After the last event. */
  readonly final: LegacyState;
  /** `table key` of every key that ever was. */
  readonly everSeen: ReadonlySet<string>;
  readonly lastVersion: Version;
};

/**
 * Plays steps against an empty source, until there are `most` events. A step that cannot be is left
 * out.
 */
export function play(bench: Bench, steps: readonly Step[], most = Infinity): History {
  const final: LegacyState = new Map(
    MAKERS.map(({ table }) => [table, new Map<string, LegacyRow>()]),
  );
  const events: ChangeEvent[] = [];
  const everSeen = new Set<string>();
  let commit = 100;
  let change = 0;
  for (const { table: n, kind, key, other, values, keepsLarge, endsTransaction } of steps) {
    const maker = CHOICE[n % CHOICE.length];
    if (maker === undefined) continue;
    if (events.length >= most) break;
    const { table, large } = maker;
    const rows = final.get(table) ?? new Map<string, LegacyRow>();
    const textOf = (row: LegacyRow) => keyText(bench.table(table), bench.image(table, row));
    const from = textOf(maker.key(key));
    const before = rows.get(from);
    const now = version(commit, ++change);
    const row: LegacyRow = { ...maker.key(key), ...maker.rest(values) };
    const sent = (full: LegacyRow): SentRow =>
      large !== null && keepsLarge ? { ...full, [large]: UNCHANGED } : full;
    const keeping = (full: LegacyRow): LegacyRow =>
      large !== null && keepsLarge ? { ...full, [large]: before?.[large] ?? null } : full;
    if (kind === 'delete') {
      if (before === undefined) continue;
      events.push(bench.remove(table, maker.key(key), now));
      rows.delete(from);
    } else if (kind === 'move') {
      const to = textOf(maker.key(other));
      if (before === undefined || rows.has(to)) continue;
      const moved = { ...row, ...maker.key(other) };
      events.push(bench.write('update', table, sent(moved), now, maker.key(key)));
      rows.delete(from);
      rows.set(to, keeping(moved));
      everSeen.add(`${table} ${to}`);
    } else if (before === undefined) {
      events.push(bench.write('create', table, row, now));
      rows.set(from, row);
      everSeen.add(`${table} ${from}`);
    } else {
      events.push(bench.write('update', table, sent(row), now));
      rows.set(from, keeping(row));
    }
    if (endsTransaction) {
      commit += 100;
      change = 0;
    }
  }
  return { events, final, everSeen, lastVersion: version(commit, change) };
}

/** Reads rows again from the history's end, as a source that is ahead of the stream would. */
export function readerAt(bench: Bench, history: History): SourceReader & { reads: number } {
  return {
    reads: 0,
    async readByKey(table, keys) {
      this.reads++;
      const state = history.final.get(table.name) ?? new Map<string, LegacyRow>();
      const rows = keys.flatMap((key) => {
        const row = state.get(key.length === 1 ? (key[0] ?? '') : JSON.stringify(key));
        return row === undefined ? [] : [bench.image(table.name, row)];
      });
      return { lsn: version(Number(history.lastVersion.commitLsn) + 1).commitLsn, rows };
    },
  };
}

/** The events by lane, as topics would bring them: those of one key stay in one lane, in order. */
export function inLanes(events: readonly ChangeEvent[], lanes: number): ChangeEvent[][] {
  const queues = Array.from({ length: lanes }, (): ChangeEvent[] => []);
  for (const event of events) {
    // A table whose keys change is in one lane; the others are spread by key.
    const moves = events.some(
      (it) => it.table === event.table && 'oldKey' in it && it.oldKey !== null,
    );
    const key = event.kind === 'delete' ? event.key : event.kind === 'truncate' ? [] : event.row;
    const text = moves ? event.table.name : `${event.table.name} ${keyText(event.table, key)}`;
    queues[[...text].reduce((sum, c) => sum * 31 + c.charCodeAt(0), 7) % lanes]?.push(event);
  }
  return queues;
}

/** The same events in another order of delivery, which keeps that of every lane. */
export function shuffled(
  events: readonly ChangeEvent[],
  lanes: number,
  choices: readonly number[],
): ChangeEvent[] {
  const queues = inLanes(events, lanes);
  const order: ChangeEvent[] = [];
  for (let i = 0; order.length < events.length; i++) {
    const open = queues.filter((queue) => queue.length > 0);
    const next = open[(choices[i % choices.length] ?? 0) % open.length]?.shift();
    if (next !== undefined) order.push(next);
  }
  return order;
}
