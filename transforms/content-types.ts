import { entity } from '../core/entity.ts';
import { ref, row } from '../core/outcome.ts';
import { contentType } from './legacy/framework.ts';

/** `django_content_type` to `content_type_map`. */
export const contentTypes = entity({
  name: 'content_type',
  target: 'content_type_map',
  from: contentType.select('id', 'app_label', 'model'),
  map: (type) =>
    row({
      id: ref('content_type', type.id),
      legacy_content_type_id: type.id,
      app_label: type.app_label ?? '',
      model: type.model ?? '',
      legacy_data: '{}',
    }),
});
