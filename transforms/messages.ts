import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { labelOf, recordType } from './codes.ts';
import { contentType } from './legacy/framework.ts';
import { record } from './legacy/records.ts';
import { messageModels, targetOf } from './message-target.ts';

/** `dispatch_record` to `messages`, whatever it is about; none is dropped. */
export const messages = entity({
  name: 'message',
  target: 'messages',
  from: record
    .select(
      ...(['id', 'target_id', 'type', 'created_at', 'text', 'author_id'] as const),
      ...(['target_type_id', 'public'] as const),
    )
    .with((on) => ({
      about: on.generic(
        { type: 'target_type_id', id: 'target_id', types: contentType },
        messageModels,
      ),
    })),
  map(message) {
    const issues: Issue[] = [];
    const target = targetOf(message);
    return row(
      {
        id: ref('message', message.id),
        legacy_record_id: message.id,
        // The kind of message. It looks like a content type, and is none.
        message_type_id: ref(
          'message_type',
          labelOf(recordType, message.type, issues) ?? 'general',
        ),
        type_code: message.type,
        legacy_content_type_id: message.target_type_id,
        legacy_object_id: message.target_id,
        legacy_model_name: message.about.model ?? message.about.unlisted,
        target_status: target.status,
        order_id: ref('order', target.order ?? null),
        project_id: ref('project', target.project ?? null),
        treatment_plan_id: ref('treatment_plan', target.plan ?? null),
        task_id: ref('task', target.task ?? null),
        patient_id: ref('patient', target.patient ?? null),
        profile_id: ref('profile', target.user ?? null),
        office_id: ref('office', target.office ?? null),
        case_id: ref('patient_case', target.caseOf ?? null),
        sender_id: ref('profile', message.author_id),
        recipient_id: ref('profile', target.user ?? null),
        body: message.text ?? '',
        is_public: message.public,
        sent_at: message.created_at,
        legacy_data: '{}',
      },
      issues,
    );
  },
});
