import { ERROR_POLICY, type ErrorCode } from '../../core/errors.ts';
import type { RecordListName } from '../../monitoring/record-list.ts';
import type { MissingReference, RootRecord } from '../../monitoring/root-record.ts';
import { shellWord, STANDING } from './list-words.ts';

/** On which lists a root stands. */
export function standsOn(root: RootRecord): RecordListName[] {
  const lists: RecordListName[] = [];
  if (root.quarantine !== null) lists.push('quarantine');
  if (root.held.length > 0) lists.push('held');
  if (root.unresolved.length > 0) lists.push('unresolved');
  if (root.issues.length > 0) lists.push('issues');
  if (root.accepted !== null) lists.push('accepted');
  return lists;
}

/** Where a root is that is not on the list that was asked for. */
export function elsewhere(root: RootRecord): string {
  const lists = standsOn(root).map((list) => STANDING[list]);
  if (lists.length > 0) return `it is ${lists.join(', ')}`;
  if (root.excluded !== null) return `it is excluded by the rule ${root.excluded}`;
  if (root.kind === 'journal') return 'no list has an entry of that key';
  if (root.mirror === null) return `${root.sourceTable} has no such row`;
  return root.mirror.isDeleted
    ? 'it was deleted in the source'
    : 'it was applied, or a job is open';
}

/** `tandem quarantine show …` for a person: what is known of one root, and what to do next. */
export function showLines(root: RootRecord): string[] {
  const lines = [
    field(
      'entity',
      `${root.entity}${root.entityState === 'active' ? '' : `, ${root.entityState}`}`,
    ),
    field('root', `${root.sourceTable} ${root.key}`),
  ];
  if (root.mirror !== null) {
    const deleted = root.mirror.isDeleted ? ', deleted in the source' : '';
    lines.push(field('mirror', `version ${versionText(root.mirror)}${deleted}`));
  }
  for (const refusal of [root.quarantine, root.accepted]) {
    if (refusal === null) continue;
    lines.push(
      field(refusal === root.accepted ? 'accepted' : 'refused', refusal.code),
      field('because', refusal.message),
      field('version', versionText(refusal)),
      field('attempts', `${refusal.attempts}, the first at ${refusal.firstSeenAt}`),
    );
    if (refusal.lastTriedAt !== null) lines.push(field('last tried', refusal.lastTriedAt));
  }
  if (root.accepted !== null) {
    const { acceptedBy, acceptedAt, reason } = root.accepted;
    lines.push(field('decided', `${acceptedBy} at ${acceptedAt}: ${reason}`));
  }
  for (const missing of root.held) lines.push(...missingLines('held by', missing));
  for (const missing of root.unresolved) lines.push(...missingLines('null', missing));
  for (const { column, reason, firstSeenAt } of root.issues) {
    lines.push(field('issue', `${column}: ${reason}, since ${firstSeenAt}`));
  }
  return [...lines, ...nextSteps(root).map((step, i) => field(i === 0 ? 'next' : '', step))];
}

const WIDTH = 12;
const field = (name: string, text: string) => `${name.padEnd(WIDTH)}${text}`;
const versionText = (of: { commitLsn: string; changeLsn: string }) =>
  `${of.commitLsn} ${of.changeLsn}`;

function missingLines(word: string, missing: MissingReference): string[] {
  const { targetTable, column, parentEntity, parentTable, parentKey, parentState } = missing;
  return [
    field(word, `${targetTable}.${column} -> ${parentEntity} ${parentKey} (${parentTable})`),
    field('parent', parentState ?? 'has not arrived'),
    field('since', missing.firstSeenAt),
  ];
}

/** What a person can do about it. */
export function nextSteps(root: RootRecord): string[] {
  const { entity, entityState } = root;
  const at = `${entity} ${shellWord(root.key)}`;
  if (entityState !== 'active') {
    return [`${entity} is ${entityState}: tandem resume ${entity} derives it again`];
  }
  const steps: string[] = [];
  if (root.quarantine !== null) {
    const { code } = root.quarantine;
    steps.push(code in ERROR_POLICY ? ERROR_POLICY[code as ErrorCode].hint : code);
    steps.push('mended in the source, the row is derived again by itself');
    if (root.kind === 'derived') steps.push(`a mended mapping: tandem quarantine retry ${at}`);
    steps.push(`to leave it out: tandem quarantine accept ${at} --reason "…"`);
  }
  if (root.accepted !== null) {
    steps.push('it is tried again when its source row changes');
    if (root.kind === 'derived') {
      steps.push(`to take the decision back: tandem quarantine retry ${at}`);
    }
  }
  for (const missing of [...root.held, ...root.unresolved]) {
    const list = root.held.includes(missing) ? 'held' : 'unresolved';
    steps.push(parentStep(missing, `tandem ${list} retry ${at}`));
  }
  if (root.issues.length > 0) steps.push('the row was applied; mend its values in the source');
  return [...new Set(steps)];
}

function parentStep(missing: MissingReference, retry: string): string {
  const { parentEntity, parentKey, parentState } = missing;
  const parent = `${parentEntity} ${shellWord(parentKey)}`;
  if (parentState === 'in the target') return retry;
  if (parentState === 'in quarantine') return `tandem quarantine show ${parent}`;
  if (parentState === 'held') return `tandem held show ${parent}`;
  if (parentState !== null) {
    return `${parent} is left out by a rule: leave its children out by the same, or make the reference nullable`;
  }
  return `${parent} derives it again when it arrives; if it never will: exclude it, or make the reference nullable`;
}
