import type { Issue } from '../core/outcome.ts';

/** What the integers of one coded legacy column mean. */
export type CodeTable<V extends string = string> = {
  readonly table: string;
  readonly column: string;
  /** `contested`: the sources contradict each other, so nothing may rest on the decoded value. */
  readonly confidence: 'probable' | 'contested';
  readonly values: Readonly<Record<number, V>>;
};

const codes = <const V extends string>(table: CodeTable<V>): CodeTable<V> => table;

const COURSE_KINDS = {
  1: 'main',
  2: 'refinement',
  3: 'any',
  4: 'replacement',
  5: 'invoice',
  6: 'merchandise',
} as const;

/** The kind of an order type. A numbering of its own: 3 is not the kind of the course 3. */
export const courseType = codes({
  table: 'dispatch_course',
  column: 'type',
  confidence: 'probable',
  values: COURSE_KINDS,
});

export const productType = codes({
  table: 'dispatch_product',
  column: 'type',
  confidence: 'probable',
  values: COURSE_KINDS,
});

const ORDER_STATUSES = {
  0: 'no_product',
  1: 'submitted',
  2: 'approved',
  3: 'in_production',
  4: 'shipped',
  5: 'add_plan',
} as const;

export const instructionStatus = codes({
  table: 'dispatch_instruction',
  column: 'status',
  confidence: 'contested',
  values: ORDER_STATUSES,
});

/** The instruction status that triggers the task; not an active flag. */
export const templateStatus = codes({
  table: 'dispatch_template',
  column: 'status',
  confidence: 'contested',
  values: ORDER_STATUSES,
});

/** Two switches of an order. Five readings are on record, so the labels claim nothing. */
export const stateStatus = codes({
  table: 'dispatch_state',
  column: 'status',
  confidence: 'contested',
  values: { 11: 'state 11', 12: 'state 12' },
});

export const patientStatus = codes({
  table: 'dispatch_patient',
  column: 'status',
  confidence: 'contested',
  values: {
    1: 'consultation',
    2: 'diagnosis',
    3: 'treatment_plan',
    4: 'active',
    5: 'refinement',
    6: 'retention',
    7: 'completed',
    8: 'cancelled',
    9: 'on_hold',
    10: 'transferred',
    11: 'revision',
  },
});

export const patientSex = codes({
  table: 'dispatch_patient',
  column: 'sex',
  confidence: 'probable',
  values: { 0: 'other', 1: 'male', 2: 'female' },
});

export const projectType = codes({
  table: 'dispatch_project',
  column: 'type',
  confidence: 'contested',
  values: {
    0: 'scan',
    1: 'stl_lower',
    2: 'clinical_photo',
    3: 'treatment_plan',
    4: 'xray',
    5: 'cbct_scan',
    10: 'simulation',
    11: 'aligner_design',
  },
});

export const projectStatus = codes({
  table: 'dispatch_project',
  column: 'status',
  confidence: 'contested',
  values: {
    0: 'draft',
    1: 'in_progress',
    2: 'in_review',
    3: 'approved',
    4: 'archived',
    5: 'deleted',
  },
});

/** Keys of message types. */
export const recordType = codes({
  table: 'dispatch_record',
  column: 'type',
  confidence: 'contested',
  values: { 3: 'record_type_3', 5: 'record_type_5', 6: 'record_type_6', 8: 'record_type_8' },
});

/** Scripts swap 2 and 3, so neither has a label. */
export const jawReason = codes({
  table: 'dispatch_jaw',
  column: 'reason',
  confidence: 'contested',
  values: { 1: 'breakage' },
});

export const taskJaw = codes({
  table: 'dispatch_task',
  column: 'jaw',
  confidence: 'probable',
  values: { 1: 'both', 2: 'upper', 3: 'lower' },
});

export const templateFunction = codes({
  table: 'dispatch_template',
  column: 'function',
  confidence: 'probable',
  values: { 1: 'submit', 2: 'archive', 4: 'process' },
});

export const operationType = codes({
  table: 'dispatch_operation',
  column: 'type',
  confidence: 'probable',
  values: { 1: 'payment', 2: 'refund' },
});

/** No label is on record. */
export const shopOrderStatus = codes({
  table: 'dispatch_order',
  column: 'status',
  confidence: 'contested',
  values: {},
});

export const CODE_TABLES: readonly CodeTable[] = [
  courseType,
  productType,
  instructionStatus,
  templateStatus,
  stateStatus,
  patientStatus,
  patientSex,
  projectType,
  projectStatus,
  recordType,
  jawReason,
  taskJaw,
  templateFunction,
  operationType,
  shopOrderStatus,
];

/**
 * The label of `code`, or null without one. A code that has none is an issue of its own, once for
 * all rows; null is no code. Without `issues` it is not reported: for a code of another row, which
 * that row's own entity reports.
 */
export function labelOf<V extends string>(
  table: CodeTable<V>,
  code: number | null,
  issues?: Issue[],
): V | null {
  if (code === null) return null;
  const label = table.values[code];
  if (label !== undefined) return label;
  issues?.push({ column: table.column, reason: `code ${code} has no label`, shared: true });
  return null;
}

/** The label of `code`; `unknown` for null and for a code without a label, which is an issue. */
export function decode<V extends string>(
  table: CodeTable<V>,
  code: number | null,
  issues?: Issue[],
): V | 'unknown' {
  return labelOf(table, code, issues) ?? 'unknown';
}
