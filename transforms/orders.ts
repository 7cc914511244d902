import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { courseType, decode, instructionStatus } from './codes.ts';
import { jsonOf } from './json-text.ts';
import { course } from './legacy/catalogue.ts';
import { payment } from './legacy/money.ts';
import { instruction } from './legacy/orders.ts';
import { patient } from './legacy/people.ts';
import { orderNumber } from './numbers.ts';
import { orderStateOf } from './order-status.ts';
import { emptyToNull } from './text.ts';

/** The name of the order type and the ordinal of the order, as `Main 2`. */
function orderTitle(course: { name: string | null } | null, ordinal: number | null): string | null {
  if (course === null) return null;
  const name = course.name ?? '';
  return ordinal === null ? name : `${name} ${ordinal}`;
}

/** `dispatch_instruction` to `orders`. Doctor and office are those that its patient has now. */
export const orders = entity({
  name: 'order',
  target: 'orders',
  sums: { price: 'price' },
  from: instruction
    .select(
      ...(['id', 'patient_id', 'submitted_at', 'deleted', 'status', 'cbct', 'model'] as const),
      ...(['scanner', 'objective', 'conditions', 'order', 'lower_jaw_id'] as const),
      ...(['upper_jaw_id', 'comprehensive', 'scanner_notes', 'accept_extraction'] as const),
      ...(['updated_at', 'notes', 'suffix', 'course_id', 'complaint', 'exports', 'price'] as const),
    )
    .with((on) => ({
      patient: on.one('patient_id', patient.select('id', 'doctor_id', 'office_id', 'suffix')),
      course: on.one('course_id', course.select('id', 'name', 'type')),
      payments: on.many(
        payment.select('id', 'canceled', 'subtotal_price', 'tax_value', 'total_price'),
        'instruction_id',
      ),
    })),
  map(order) {
    const issues: Issue[] = [];
    const { patient, course } = order;
    const payment = order.payments.findLast((payment) => payment.canceled !== true) ?? null;
    return row(
      {
        id: ref('order', order.id),
        legacy_instruction_id: order.id,
        order_number: orderNumber(order.id, {
          own: order.suffix,
          ofPatient: patient?.suffix ?? null,
        }),
        order_type_id: ref('order_type', order.course_id),
        patient_id: ref('patient', order.patient_id),
        doctor_id: ref('profile', patient?.doctor_id ?? null),
        office_id: ref('office', patient?.office_id ?? null),
        case_id: ref('patient_case', order.patient_id),
        course_type: decode(courseType, course?.type ?? null),
        status: decode(instructionStatus, order.status, issues),
        status_code: order.status,
        current_state_id: orderStateOf(order.status),
        sequence_number: order.order,
        suffix: emptyToNull(order.suffix),
        title: orderTitle(course, order.order),
        model_code: order.model,
        scanner_code: order.scanner,
        scanner_notes: emptyToNull(order.scanner_notes),
        upper_jaw_id: ref('jaw', order.upper_jaw_id),
        lower_jaw_id: ref('jaw', order.lower_jaw_id),
        notes: emptyToNull(order.notes),
        complaint: emptyToNull(order.complaint),
        objective: emptyToNull(order.objective),
        conditions: emptyToNull(order.conditions),
        exports: jsonOf('exports', order.exports, issues),
        comprehensive: order.comprehensive,
        cbct: order.cbct,
        accept_extraction: order.accept_extraction,
        price: order.price,
        // The three amounts are those of one payment: the newest that is not cancelled.
        subtotal_amount: payment?.subtotal_price ?? null,
        tax_amount: payment?.tax_value ?? null,
        total_amount: payment?.total_price ?? null,
        is_deleted: order.deleted ?? false,
        submitted_at: order.submitted_at,
        // No code of the state log is confirmed to mean approved, or shipped.
        approved_at: null,
        shipped_at: null,
        source_updated_at: order.updated_at,
        legacy_data: '{}',
      },
      issues,
    );
  },
});
