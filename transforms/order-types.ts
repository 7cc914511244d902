import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { courseType, decode } from './codes.ts';
import { jsonOf } from './json-text.ts';
import { course } from './legacy/catalogue.ts';

/** Courses that stand for a type that everybody knows: by id and type together. */
const KNOWN: Readonly<Record<string, string>> = {
  '1 1': 'main',
  '2 2': 'refinement',
  '3 4': 'replacement',
  '4 3': 'any',
  '7 5': 'invoice',
  '8 6': 'merchandise',
};

/** The key of an order type. The name plays no part, so that a rename changes nothing else. */
function orderTypeKey(courseId: number, type: number | null): string {
  return KNOWN[`${courseId} ${type}`] ?? `course-${courseId}`;
}

/** `dispatch_course` to `order_types`. The courses 1 to 3 adopt a seed by having its id. */
export const orderTypes = entity({
  name: 'order_type',
  target: 'order_types',
  seeds: [1, 2, 3],
  from: course.select('id', 'name', 'type', 'customization'),
  map(course) {
    const issues: Issue[] = [];
    return row(
      {
        id: ref('order_type', course.id),
        legacy_course_id: course.id,
        key: orderTypeKey(course.id, course.type),
        name: course.name ?? '',
        kind: decode(courseType, course.type, issues),
        type_code: course.type,
        customization: jsonOf('customization', course.customization, issues),
        legacy_data: '{}',
      },
      issues,
    );
  },
});
