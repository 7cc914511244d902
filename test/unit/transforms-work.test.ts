import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { uuidOf } from '../../core/uuid.ts';
import { messages } from '../../transforms/messages.ts';
import { payments } from '../../transforms/payments.ts';
import { tasks } from '../../transforms/tasks.ts';
import { workflowTemplates } from '../../transforms/workflow-templates.ts';
import { make, textOf, type Given } from './transforms-tree.ts';

describe('a message', () => {
  const REFERENCES = [
    'order_id',
    'project_id',
    'treatment_plan_id',
    'task_id',
    'patient_id',
    'profile_id',
    'office_id',
    'case_id',
    'recipient_id',
  ];
  /** What is set of a message about something. */
  const about = (about: Given, more: Given = {}) => {
    const { row } = make(messages, { id: 1, target_type_id: 11, target_id: 5, about, ...more });
    const set = Object.entries(row).filter(
      ([name, it]) => REFERENCES.includes(name) && it !== null,
    );
    const shown: Given = Object.fromEntries(set);
    return { model: row['legacy_model_name'], status: row['target_status'], ...shown };
  };
  const order = { id: 9, patient_id: 100 };

  test.each([
    ['dispatch.instruction', order, { order_id: 'order:9', case_id: 'patient_case:100' }],
    [
      'dispatch.plan',
      { id: 5, project_id: 6, instruction_id: 9, order },
      {
        treatment_plan_id: 'treatment_plan:5',
        project_id: 'project:6',
        order_id: 'order:9',
        case_id: 'patient_case:100',
      },
    ],
    [
      'dispatch.task',
      { id: 5, instruction_id: 9, order },
      { task_id: 'task:5', order_id: 'order:9', case_id: 'patient_case:100' },
    ],
    ['dispatch.task', { id: 5 }, { task_id: 'task:5' }],
    [
      'dispatch.file',
      { id: 5, instruction_id: 9, order },
      { order_id: 'order:9', case_id: 'patient_case:100' },
    ],
    ['dispatch.file', { id: 5 }, {}],
    [
      'dispatch.project',
      {
        id: 5,
        plans: [
          { id: 1, order },
          { id: 2, original: true, order: { id: 8, patient_id: 200 } },
        ],
      },
      { project_id: 'project:5', case_id: 'patient_case:200' },
    ],
    ['dispatch.project', { id: 5 }, { project_id: 'project:5' }],
    ['dispatch.patient', { id: 5 }, { patient_id: 'patient:5', case_id: 'patient_case:5' }],
    ['dispatch.office', { id: 5 }, { office_id: 'office:5' }],
    ['auth.user', { id: 5 }, { profile_id: 'profile:5', recipient_id: 'profile:5' }],
    [
      'dispatch.user',
      { id: 5, patients: [{ id: 3 }, { id: 4 }] },
      {
        profile_id: 'profile:5',
        recipient_id: 'profile:5',
        patient_id: 'patient:3',
        case_id: 'patient_case:3',
      },
    ],
  ])('about %s %j (T52)', (model, row, expected) => {
    expect(about({ model, id: 5, row })).toEqual({ model, status: 'resolved', ...expected });
  });

  test('whose target is gone, unsupported, or not named, is kept (T51, T53, T54)', () => {
    const gone = { model: 'dispatch.patient', id: 5, row: null };
    expect(about(gone)).toEqual({ model: 'dispatch.patient', status: 'missing' });
    const comment = { model: null, unlisted: 'dispatch.comment' };
    expect(about(comment)).toEqual({ model: 'dispatch.comment', status: 'unsupported' });
    const none = { model: null, unlisted: null };
    expect(about(none, { target_type_id: null })).toEqual({ model: null, status: 'none' });
    expect(about(none)).toEqual({ model: null, status: 'missing' });
  });

  test.each([
    [5, 'record_type_5'],
    [58, 'general'],
    [null, 'general'],
  ])('of type %j has the kind %s, which is no content type (T55, T56)', (type, key) => {
    const { row } = make(messages, { id: 1, type, text: null });
    expect(row).toMatchObject({
      message_type_id: `message_type:${key}`,
      type_code: type,
      body: '',
    });
  });
});

test.each([
  [true, null, 'completed'],
  [false, '2025-03-01 12:00:00+00', 'completed'],
  [false, null, 'pending'],
  [null, null, 'pending'],
])('a task checked %j and done at %j is %s (T63)', (checked, done_at, status) => {
  expect(make(tasks, { id: 1, checked, done_at }).row['status']).toBe(status);
});

test('a task is named by its template; its order is the instruction, never the shop order (T64, T65)', () => {
  const template = { id: 3, task_name: '', action_name: 'Submit' };
  const { row, issues } = make(tasks, {
    id: 1,
    instruction_id: 9,
    template_id: 3,
    template,
    jaw: 7,
    text: '',
  });
  expect(row).toMatchObject({
    ...{ order_id: 'order:9', template_id: 'workflow_template:3', name: null },
    ...{ action_name: 'Submit', body: null, jaw_scope: null, jaw_code: 7 },
  });
  expect(issues).toEqual([{ column: 'jaw', reason: 'code 7 has no label', shared: true }]);
  expect(tasks.shape.columns).not.toContain('order_id');
});

describe('a payment', () => {
  const refund = (price: string | null) => ({ id: 1, type: 2, price, card_brand: '' });
  const statusOf = (payment: Given) => make(payments, { id: 1, ...payment }).row['status'];

  test.each([
    ['cancelled', { canceled: true, paid: true, paid_price: '1', operations: [refund('1')] }],
    [
      'refunded',
      { paid: true, paid_price: '0.30', operations: [refund('0.1'), refund(null), refund('0.20')] },
    ],
    [
      'completed',
      {
        paid: true,
        paid_price: '0.30',
        operations: [refund('0.1'), refund('0.1999999999999999999999')],
      },
    ],
    ['completed', { paid: true, paid_price: '0.00', operations: [refund('5')] }],
    ['completed', { paid: true, paid_price: '-5', operations: [refund('0')] }],
    ['completed', { paid: true, paid_price: null, operations: [refund('5')] }],
    ['completed', { paid: true, paid_price: '5', operations: [{ id: 1, type: null, price: '5' }] }],
    ['completed', { free: true, paid: false }],
    ['refunded', { paid_price: 'Infinity', operations: [refund('NaN')] }],
    ['pending', {}],
  ])('is %s: %j (T68, T72)', (expected, payment) => {
    expect(statusOf(payment)).toBe(expected);
  });

  test('keeps every amount as it is, one a column (T70, T71)', () => {
    const { row } = make(payments, {
      ...{
        id: 12,
        instruction_id: 9,
        order: { id: 9, patient_id: 100 },
        doctor_id: 8,
        office_id: 7,
      },
      ...{ subtotal_price: '0.123456789012345678901', total_price: '-1.50', paid_price: '2.50' },
      ...{
        installments: '',
        operations: [
          { id: 1, card_brand: '' },
          { id: 2, type: 2, card_brand: 'VISA' },
        ],
      },
    });
    expect(row).toMatchObject({
      ...{ payment_number: 'PAY-000012', order_id: 'order:9', patient_id: 'patient:100' },
      ...{ doctor_id: 'profile:8', office_id: 'office:7', installments: null },
      ...{ subtotal_amount: '0.123456789012345678901', total_amount: '-1.50', paid_amount: '2.50' },
      ...{ payment_method: 'card', is_free: null },
    });
    expect(make(payments, { id: 1, operations: [refund('1')] }).row['payment_method']).toBe(
      'unknown',
    );
  });
});

describe('a workflow template', () => {
  test('without any name is called after its id; without a status it has no trigger (T61)', () => {
    expect(make(workflowTemplates, { id: 5, task_name: '', function: 9 }).row).toMatchObject({
      ...{ name: 'Template5', task_name: null, function_type: 'unknown', function_code: 9 },
      ...{ trigger_status: null, case_type: 'unknown', estimated_duration: null },
    });
    const names = { task_name: null, text_name: 'Remarks', action_name: 'Submit' };
    const course = { id: 1, type: 1 };
    expect(make(workflowTemplates, { id: 5, ...names, status: 1, course }).row).toMatchObject({
      ...{ name: 'Remarks', trigger_status: 'submitted', case_type: 'active_treatment' },
    });
    expect(make(workflowTemplates, { id: 5, status: 99 }).row['trigger_status']).toBe('unknown');
  });

  type Sketch = Given & { readonly id: number; readonly flag: boolean | null };
  /** The tree of one template among others, as the engine reads it; `links` lead to predecessors. */
  const among = (
    all: readonly Sketch[],
    links: readonly (readonly [number, number])[],
    id: number,
  ) => {
    const plain = ({ flag: _, ...step }: Sketch) => step;
    const linksOf = (from: number) =>
      links.flatMap(([a, b], i) => (a === from ? [{ id: i, to_template_id: b }] : []));
    const step = (it: Sketch) => ({ ...plain(it), predecessors: linksOf(it.id) });
    const alike = (it: Sketch) => all.filter(({ flag }) => flag !== null && flag === it.flag);
    const find = (id: number) => all.filter((it) => it.id === id);
    const near = (it: Sketch) => ({
      ...plain(it),
      predecessors: linksOf(it.id).map((link) => {
        const [to] = find(link.to_template_id);
        return { ...link, template: to && { ...step(to), alike: alike(to).map(step) } };
      }),
    });
    const [root] = find(id);
    if (root === undefined) throw new Error(`no template ${id}`);
    return { ...near(root), alike: alike(root).map(near) };
  };
  const namesOf = (row: Given) =>
    (JSON.parse(textOf(row['steps'] as string)) as { name: string }[]).map(({ name }) => name);

  test('lists itself behind its ancestors, with roles by name and products by id (T60)', () => {
    const third = {
      ...{ id: 2, flag: true, task_name: 'Third', action_name: 'Go', text_name: '' },
      editRoles: [
        { id: 1, role: { id: 1, name: 'B' } },
        { id: 2, role: { id: 2, name: 'A' } },
      ],
      products: [{ id: 1, product_id: 7 }],
    };
    const all = [
      third,
      { id: 4, flag: true, task_name: 'Second' },
      { id: 9, flag: true, task_name: 'First', function: 1 },
      { id: 1, flag: true, task_name: 'Not one of them' },
    ];
    const tree = among(
      all,
      [
        [2, 4],
        [2, 9],
        [4, 9],
        [1, 2],
      ],
      2,
    );
    const { row, issues } = make(workflowTemplates, tree);
    const step = { action: null, prompt: null, function: 'unknown', roles: [], products: [] };
    expect(JSON.parse(textOf(row['steps']))).toEqual([
      { ...step, order: 1, name: 'First', function: 'submit', predecessors: [] },
      { ...step, order: 2, name: 'Second', predecessors: [1] },
      {
        ...{ order: 3, name: 'Third', action: 'Go', prompt: null, function: 'unknown' },
        ...{ predecessors: [1, 2], roles: ['A', 'B'], products: [uuidOf('product', 7)] },
      },
    ]);
    expect(issues).toEqual([]);
  });

  test('finds every ancestor, however long the chain and whatever the flags on its way (T60)', () => {
    const flags = fc.array(fc.boolean(), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(flags, (flags) => {
        const all = flags.map((flag, i) => ({ id: i + 1, flag, task_name: `Step ${i + 1}` }));
        const links = all.slice(1).map(({ id }) => [id - 1, id] as const);
        const { row, issues } = make(workflowTemplates, among(all, links, 1));
        expect(namesOf(row)).toEqual(all.map(({ task_name }) => task_name).reverse());
        expect(issues).toEqual([]);
      }),
    );
  });

  test('says so where a template without the flag hides an ancestor', () => {
    const all = [
      { id: 1, flag: true, task_name: 'A' },
      { id: 2, flag: null, task_name: 'B' },
      { id: 3, flag: null, task_name: 'C' },
    ];
    const { row, issues } = make(
      workflowTemplates,
      among(
        all,
        [
          [1, 2],
          [2, 3],
        ],
        1,
      ),
    );
    expect(namesOf(row)).toEqual(['B', 'A']);
    expect(issues).toEqual([{ column: 'id', reason: 'an ancestor was not read' }]);
  });

  test('breaks a cycle at its highest id and says so (T60)', () => {
    const all = ['A', 'B', 'C', 'D'].map((task_name, i) => ({ id: i + 1, flag: true, task_name }));
    const tree = among(
      all,
      [
        [4, 3],
        [3, 1],
        [1, 3],
        [2, 1],
      ],
      4,
    );
    const { row, issues } = make(workflowTemplates, tree);
    expect(namesOf(row)).toEqual(['C', 'A', 'D']);
    expect(issues).toEqual([{ column: 'id', reason: 'its predecessors form a cycle' }]);
  });
});
