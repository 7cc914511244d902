import { describe, expect, test } from 'vitest';
import { type ObservedChange } from '../../core/entity.ts';
import { parseLsn } from '../../core/version.ts';
import { instructionStates } from '../../transforms/instruction-states.ts';
import { jaws } from '../../transforms/jaws.ts';
import { orderStateHistory } from '../../transforms/order-state-history.ts';
import { orderStatusChanges } from '../../transforms/order-status-changes.ts';
import { orderTypes } from '../../transforms/order-types.ts';
import { orders } from '../../transforms/orders.ts';
import { projectCases } from '../../transforms/project-cases.ts';
import { projects } from '../../transforms/projects.ts';
import { treatmentPlans } from '../../transforms/treatment-plans.ts';
import { make, plain, type Given } from './transforms-tree.ts';

test('a course is known by id and type together, never by its name (T29)', () => {
  const keyOf = (id: number, type: number | null) =>
    make(orderTypes, { id, type, name: 'Main' }).row;
  expect(keyOf(3, 4)).toMatchObject({
    id: 'order_type:3',
    key: 'replacement',
    kind: 'replacement',
  });
  expect(keyOf(4, 3)).toMatchObject({ key: 'any', kind: 'any' });
  expect(keyOf(3, 3)).toMatchObject({ key: 'course-3', kind: 'any' });
  expect(keyOf(9, null)).toMatchObject({ key: 'course-9', kind: 'unknown', type_code: null });
});

describe('an order', () => {
  const payment = (id: number, canceled: boolean | null, total: string) => ({
    ...{ id, canceled, subtotal_price: `${total}.1`, tax_value: `${total}.2`, total_price: total },
  });

  test('has the doctor and office of its patient, and the names of its type (T20)', () => {
    const patient = { id: 5, doctor_id: 8, office_id: 9, suffix: 'pppp' };
    const course = { id: 2, name: 'Refinement', type: 2 };
    const order = { id: 77, patient_id: 5, patient, course_id: 2, course, order: 3, status: 5 };
    expect(make(orders, order).row).toMatchObject({
      order_number: 'pppp-77',
      patient_id: 'patient:5',
      doctor_id: 'profile:8',
      office_id: 'office:9',
      case_id: 'patient_case:5',
      order_type_id: 'order_type:2',
      course_type: 'refinement',
      title: 'Refinement 3',
      status: 'add_plan',
      current_state_id: 'order_state:add_plan',
    });
    expect(make(orders, { ...order, order: null }).row['title']).toBe('Refinement');
    expect(make(orders, { ...order, course: null }).row).toMatchObject({
      title: null,
      course_type: 'unknown',
      order_type_id: 'order_type:2',
    });
  });

  test('whose patient is not there yet keeps its reference', () => {
    expect(make(orders, { id: 77, patient_id: 5 }).row).toMatchObject({
      ...{ patient_id: 'patient:5', case_id: 'patient_case:5', doctor_id: null },
      order_number: 'ORD-77',
    });
  });

  test('with a code outside the list has no state (T35)', () => {
    const { row, issues } = make(orders, { id: 1, status: 99 });
    expect(row).toMatchObject({ status: 'unknown', status_code: 99, current_state_id: null });
    expect(issues).toEqual([{ column: 'status', reason: 'code 99 has no label', shared: true }]);
  });

  test('takes its amounts from one payment: the newest that is not cancelled', () => {
    const payments = [payment(1, false, '10'), payment(2, null, '20'), payment(3, true, '30')];
    expect(make(orders, { id: 1, payments }).row).toMatchObject({
      ...{ subtotal_amount: '20.1', tax_amount: '20.2', total_amount: '20' },
    });
    expect(make(orders, { id: 1, payments: payments.slice(2) }).row).toMatchObject({
      ...{ subtotal_amount: null, tax_amount: null, total_amount: null },
    });
  });
});

test.each([
  [[], [], null, 'unknown'],
  [[4], [], 'order:4', 'upper'],
  [[], [4], 'order:4', 'lower'],
  [[4], [4], 'order:4', 'both'],
  [[9], [4, 5], 'order:4', 'both'],
  [[4, 9], [], 'order:4', 'upper'],
])('a jaw that %j name as upper and %j as lower (T38, T39)', (upper, lower, order, type) => {
  const asUpper = upper.map((id) => ({ id }));
  const asLower = lower.map((id) => ({ id }));
  const { row } = make(jaws, { id: 1, asUpper, asLower, bond_teeth: '0011', reason: 2 });
  expect([row['order_id'], row['jaw_type']]).toEqual([order, type]);
  expect(row).toMatchObject({ bond_teeth: '0011', reason_code: 2, replacement_reason: null });
});

describe('a project', () => {
  const order = (id: number, patientId: number, type = 1) => ({
    ...{ id, patient_id: patientId, course: { id: 1, type } },
    patient: { id: patientId, doctor_id: 60, office_id: 70, status: 4 },
  });

  test('without any plan has no patient and says so (T44)', () => {
    const { row } = make(projectCases, { id: 3, name: '', type: 3, status: 0 });
    expect(row).toMatchObject({
      ...{ id: 'project_case:3', case_number: 'CASE-3', title: null, patient_id: null },
      ...{ parent_case_id: null, resolution: 'none', status: 'unknown' },
      ...{ case_type: 'treatment_planning', current_state: 'submitted' },
    });
  });

  test('goes by the original plan, else by the smallest; several patients are an issue (T44, T46)', () => {
    const plans = [
      { id: 1, original: false, order: order(10, 100) },
      { id: 2, original: true, order: order(20, 200, 2) },
      { id: 3, original: true, order: order(30, 300) },
    ];
    const { row, issues } = make(projectCases, { id: 3, type: 0, status: 5, plans });
    expect(row).toMatchObject({
      ...{ patient_id: 'patient:200', parent_case_id: 'patient_case:200', resolution: 'plan' },
      ...{ doctor_id: 'profile:60', office_id: 'office:70', status: 'active' },
      ...{ case_type: 'refinement', current_state: 'cancelled' },
    });
    expect(issues).toEqual([{ column: 'id', reason: 'its plans lead to several patients' }]);
    const first = make(projectCases, { id: 3, type: 0, plans: plans.slice(0, 1) });
    expect(first.row).toMatchObject({
      patient_id: 'patient:100',
      case_type: 'initial_consultation',
    });
    expect(first.issues).toEqual([]);
  });

  test('with a negative size keeps the number beside the row (T45)', () => {
    const { row, issues } = make(projects, {
      id: 3,
      size: -5n,
      created_at: 'infinity',
      type: 3,
      status: 2,
    });
    expect(row).toMatchObject({
      ...{ file_size: null, legacy_data: '{"size":"-5"}', project_number: 'PRJ-000000-3' },
      ...{ case_id: 'project_case:3', project_type: 'treatment_plan', status: 'in_review' },
    });
    expect(issues).toEqual([{ column: 'size', reason: 'negative' }]);
    expect(make(projects, { id: 3, size: 5_000_000_000n }).row).toMatchObject({
      ...{ file_size: 5_000_000_000n, legacy_data: '{}', is_public: false },
    });
  });

  test("has the order of its plan, that order's patient and the patient's office", () => {
    const plans = [
      {
        id: 1,
        original: false,
        instruction_id: 10,
        order: { id: 10, patient_id: 100, patient: { id: 100, office_id: 70 } },
      },
    ];
    expect(make(projects, { id: 3, plans }).row).toMatchObject({
      ...{ order_id: 'order:10', patient_id: 'patient:100', office_id: 'office:70' },
    });
  });
});

test('plans rank by number, those without one last, equals by id (T46)', () => {
  const all = [
    { id: 1, number: null },
    { id: 2, number: 5 },
    { id: 3, number: 5 },
    { id: 4, number: 1 },
    { id: 5, number: null },
  ];
  const ranks = all.map(
    (plan) =>
      make(treatmentPlans, { ...plan, instruction_id: 9, plansOfOrder: all }).row['revision_count'],
  );
  expect(ranks).toEqual([3, 1, 2, 0, 4]);
  expect(make(treatmentPlans, { id: 1, original: null }).row).toMatchObject({
    ...{ treatment_type: 'revision', is_original: null, revision_count: null },
  });
});

describe('the state log', () => {
  const entry = {
    id: 5,
    instruction_id: 9,
    status: 12,
    on: true,
    changed_at: '2025-03-02 12:00:00+00',
  };

  test('is mirrored as it is', () => {
    expect(make(instructionStates, { ...entry, on: null }).row).toMatchObject({
      ...{ status_code: 12, status_label: 'state 12', is_on: false, order_id: 'order:9' },
    });
    expect(make(instructionStates, { ...entry, status: 13 }).row['status_label']).toBeNull();
  });

  test('has no state before the first entry', () => {
    expect(make(orderStateHistory, entry).row).toMatchObject({
      ...{ id: 'order_state_entry:5', from_state_id: null, to_state_id: 'order_state:state_12' },
      ...{ from_status: null, to_status: 'unknown', duration_in_previous: null },
      ...{ origin: 'state_log', legacy_state_id: 5 },
    });
  });

  test('has no state where a switch is off, and counts the time since it (T41, T42)', () => {
    const before = { id: 8, status: 11, on: false, changed_at: '2025-03-01 10:00:00+00' };
    expect(make(orderStateHistory, { ...entry, on: false, before }).row).toMatchObject({
      ...{ from_state_id: null, to_state_id: null, from_status: 'unknown' },
      duration_in_previous: '1 day 02:00:00',
    });
    expect(
      make(orderStateHistory, { ...entry, before: { ...before, on: true } }).row,
    ).toMatchObject({
      from_state_id: 'order_state:state_11',
    });
  });
});

describe('the journal of order statuses', () => {
  const change = (before: number | null, after: number | null, more: Given = {}) =>
    orderStatusChanges.map({
      ...{ before: { id: 9, status: before }, after: { id: 9, status: after } },
      version: { commitLsn: parseLsn('16/b374d848'), changeLsn: parseLsn('0/1') },
      at: '2025-03-02 12:00:00+00',
      ...more,
    } as ObservedChange<never>);

  test('writes nothing for an update that leaves the status', () => {
    expect(change(1, 1)).toEqual({ kind: 'excluded', rule: 'status_unchanged' });
  });

  test('writes the old and the new state under a key made of the version', () => {
    const outcome = change(1, 99, { previousAt: '2025-03-02 11:59:00+00' });
    const [made] = outcome.kind === 'rows' ? outcome.rows : [];
    const cells = Object.entries(made?.row ?? {}).map(([name, value]) => [name, plain(value)]);
    expect(Object.fromEntries(cells)).toEqual({
      id: 'order_status_change:9:16/B374D848:0/1',
      order_id: 'order:9',
      from_state_id: 'order_state:submitted',
      to_state_id: null,
      from_status: 'submitted',
      to_status: 'unknown',
      changed_at: '2025-03-02 12:00:00+00',
      changed_by_id: null,
      duration_in_previous: '00:01:00',
      origin: 'observed_change',
      legacy_state_id: null,
      source_commit_lsn: '16/B374D848',
      source_change_lsn: '0/1',
    });
  });
});
