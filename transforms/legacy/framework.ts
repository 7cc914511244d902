import { int4, text } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

/** Django's numbers for its models. A number belongs to one database; the pair of names is stable. */
export const contentType = legacyTable('django_content_type', 'id', {
  id: int4,
  app_label: text.orNull,
  model: text.orNull,
});
