import type pg from 'pg';
import { textRows, type SqlValue } from '../connectors/postgres/connection.ts';
import { formatCount } from '../cli/units.ts';
import type { TrafficReport } from './legacy/traffic.ts';
import { SECRET_COLUMNS } from './legacy/schema.ts';
import { StepFailed, type Pair, type Stage } from './stage.ts';

/** One trap that was set for a replicator: a headline, and what became of it. */
type Shown = { readonly title: string; readonly lines: readonly string[] };

/** Prints some of the planted traps with what became of them. Throws `StepFailed` for a wrong one. */
export async function printShowcase(
  { screen, interruption }: Stage,
  pair: Pair,
  traffic: TrafficReport,
): Promise<{ readonly orderId: string | null }> {
  const shown: Shown[] = [
    await interruption.guard(closedOffices(pair)),
    await interruption.guard(unknownCodes(pair)),
    await interruption.guard(secrets(pair)),
    hardTransactions(traffic),
  ];
  for (const { title, lines } of shown) {
    screen.line(screen.style('bold', title));
    for (const line of lines) screen.text(line);
    screen.line();
  }
  const orderId = await interruption.guard(eventfulOrder(pair.target));
  if (orderId === null) return { orderId };
  const order = await interruption.guard(oneOrder(pair, orderId));
  screen.line(screen.style('bold', order.title));
  for (const line of order.lines) screen.line(line);
  return { orderId };
}

/** T21. A migration that copies what is valid loses them, and with them what points at them. */
async function closedOffices({ source, target }: Pair): Promise<Shown> {
  const legacy = await numbers(
    source,
    `select count(*), count(*) filter (where valid is not true),
       (select count(*) from public.dispatch_patient p
        join public.dispatch_office o on o.id = p.office_id where o.valid is not true),
       (select count(*) from public.dispatch_payment p
        join public.dispatch_office o on o.id = p.office_id where o.valid is not true)
     from public.dispatch_office`,
  );
  const now = await numbers(
    target,
    `select count(*), count(*) filter (where not is_valid),
       (select count(*) from public.patients p join public.offices o on o.id = p.office_id
        where not o.is_valid and p.deleted_at is null),
       (select count(*) from public.payments p join public.offices o on o.id = p.office_id
        where not o.is_valid and p.deleted_at is null)
     from public.offices where deleted_at is null`,
  );
  expectSame('offices', legacy, now);
  const [all = 0, closed = 0, patients = 0, payments = 0] = now;
  const share = ((closed * 100) / Math.max(1, all)).toFixed(1);
  return {
    title: `${share}% of the offices are invalid, and still there`,
    lines: [
      `${closed} of ${all} offices are switched off in the legacy system, while ${formatCount(patients)} patients and ${formatCount(payments)} payments point at them. All arrived, marked is_valid = false, and so did every reference.`,
    ],
  };
}

/** T35. */
async function unknownCodes({ source, target }: Pair): Promise<Shown> {
  const legacy = await numbers(
    source,
    `select count(*), count(distinct status), sum(status) from public.dispatch_instruction
     where status not between 0 and 5`,
  );
  const now = await numbers(
    target,
    `select count(*), count(distinct status_code), sum(status_code) from public.orders
     where status = 'unknown' and status_code is not null and deleted_at is null`,
  );
  expectSame('orders with an unknown status code', legacy, now);
  const [orders = 0, codes = 0] = now;
  return {
    title: `${orders} ${orders === 1 ? 'order has' : 'orders have'} a status code that nobody can explain`,
    lines: [
      `${codes === 1 ? 'The code stands' : `Their ${codes} codes stand`} in no list. None is guessed and none is lost: status is 'unknown', status_code keeps the number, and tandem.issue tells whoever has to decide.`,
    ],
  };
}

/** T92. */
async function secrets({ source, target }: Pair): Promise<Shown> {
  const [hashes = 0] = await numbers(
    source,
    `select count(*) from public.auth_user where password <> ''`,
  );
  const names = [...SECRET_COLUMNS].map((name) => name.split('.'));
  const [leaked = 0] = await numbers(
    target,
    `select count(*) from information_schema.columns
     join unnest($1::text[], $2::text[]) as secret (table_name, column_name)
       using (table_name, column_name)
     where table_schema in ('legacy', 'public')`,
    [names.map(([table = '']) => table), names.map(([, column = '']) => column)],
  );
  if (leaked > 0) throw new StepFailed(`${leaked} secret columns are in the target`);
  return {
    title: `${formatCount(hashes)} password hashes stayed where they are`,
    lines: [
      `The mapping does not name the ${SECRET_COLUMNS.size} secret columns, so they are neither asked for nor sent: no table of the target has one.`,
    ],
  };
}

/** T43, T84, T85: what the traffic did on purpose. Lines that are 0 are left out. */
function hardTransactions({ traps }: TrafficReport): Shown {
  const done: readonly (readonly [count: number, what: string])[] = [
    [traps['T84'] ?? 0, 'rows were inserted, changed and deleted in one transaction'],
    [traps['T85'] ?? 0, 'children were written before their parent'],
    [traps['T43'] ?? 0, 'state changes arrived late, between two that were known'],
    [traps['T83'] ?? 0, 'cascades deleted the children first, as Django does'],
  ];
  const told = done.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return {
    title: 'The legacy application did not make it easy',
    lines: [told.length === 0 ? 'Not in this short time, though.' : `${told.join('; ')}.`],
  };
}

/** An order with a state log, whose status also changed while the stream ran. */
async function eventfulOrder(target: pg.Client): Promise<string | null> {
  const [row] = await textRows(
    target,
    `select o.legacy_instruction_id from public.orders o
     join public.order_state_history h on h.order_id = o.id and h.deleted_at is null
     where o.deleted_at is null and o.upper_jaw_id is not null
     group by o.id
     order by least(2, count(*) filter (where h.origin = 'observed_change')) desc,
       least(3, count(*) filter (where h.origin = 'state_log')) desc, o.id limit 1`,
  );
  return row?.[0] ?? null;
}

const HISTORY_LINES = 6;

async function oneOrder({ source, target }: Pair, id: string): Promise<Shown> {
  const before = await fields(
    source,
    `select status, course_id, "order", suffix, patient_id, upper_jaw_id
     from public.dispatch_instruction where id = $1`,
    ['status', 'course_id', 'order', 'suffix', 'patient_id', 'upper_jaw_id'],
    id,
  );
  const after = await fields(
    target,
    `select o.order_number, o.course_type, o.status, o.status_code, p.patient_number, c.case_number
     from public.orders o
     left join public.patients p on p.id = o.patient_id
     left join public.cases c on c.id = o.case_id
     where o.legacy_instruction_id = $1`,
    ['order_number', 'course_type', 'status', 'status_code', 'patient', 'case'],
    id,
  );
  const history = await textRows(
    target,
    `select to_char(h.changed_at, 'YYYY-MM-DD HH24:MI:SS'), h.origin,
       coalesce(f.name, '-'), coalesce(t.name, 'off')
     from public.order_state_history h
     join public.orders o on o.id = h.order_id
     left join public.order_states f on f.id = h.from_state_id
     left join public.order_states t on t.id = h.to_state_id
     where o.legacy_instruction_id = $1 and h.deleted_at is null
     order by h.changed_at, h.legacy_state_id`,
    [id],
  );
  const skipped = history.length - HISTORY_LINES;
  return {
    title: `One order, before and after: dispatch_instruction ${id}`,
    lines: [
      ...before.map((line, i) => `${i === 0 ? 'legacy  ' : '        '}${line}`),
      ...after.map((line, i) => `${i === 0 ? 'target  ' : '        '}${line}`),
      ...(skipped > 0 ? [`history ${skipped} earlier ones, then`] : []),
      ...history
        .slice(-HISTORY_LINES)
        .map(([at, origin, from, to], i) =>
          [
            i === 0 && skipped <= 0 ? 'history ' : '        ',
            `${at}  ${origin === 'state_log' ? 'legacy log' : 'seen live '}  ${from} -> ${to}`,
          ].join(''),
        ),
    ],
  };
}

/** `name value`, three a line. */
async function fields(
  client: pg.Client,
  sql: string,
  names: readonly string[],
  id: string,
): Promise<string[]> {
  const [row = []] = await textRows(client, sql, [id]);
  const cells = names.map((name, i) => {
    const value = row[i] ?? null;
    return `${name} ${value === null ? 'null' : value === '' ? "''" : value}`;
  });
  const width = Math.max(...cells.map((cell) => cell.length)) + 3;
  const lines: string[] = [];
  for (let i = 0; i < cells.length; i += 2) {
    lines.push(`${(cells[i] ?? '').padEnd(width)}${cells[i + 1] ?? ''}`.trimEnd());
  }
  return lines;
}

async function numbers(
  client: pg.Client,
  sql: string,
  values: readonly SqlValue[] = [],
): Promise<number[]> {
  const [row = []] = await textRows(client, sql, values);
  return row.map(Number);
}

function expectSame(what: string, legacy: readonly number[], target: readonly number[]): void {
  if (legacy.join() === target.join()) return;
  throw new StepFailed(
    `${what} differ: ${legacy.join(', ')} in the source, ${target.join(', ')} in the target`,
  );
}
