/** Groups by their number in the observed database. A program must still resolve them by name. */
export const GROUPS = {
  Patient: 1,
  Doctor: 2,
  Billing: 3,
  Administrator: 4,
  Master: 5,
  Export: 6,
  External: 7,
  Sales: 8,
  Support: 9,
  Technician: 11,
} as const;

/** Content types whose number was observed or inferred (section 14 of the specification). */
const OBSERVED_TYPES: readonly (readonly [id: number, label: string])[] = [
  [1, 'admin.logentry'],
  [2, 'auth.permission'],
  [3, 'auth.group'],
  [4, 'auth.user'],
  [5, 'contenttypes.contenttype'],
  [6, 'sessions.session'],
  [7, 'dispatch.agent'],
  [8, 'dispatch.file'],
  [9, 'dispatch.instruction'],
  [11, 'dispatch.patient'],
  [12, 'dispatch.plan'],
  [22, 'dispatch.office'],
  [58, 'dispatch.user'], // a proxy of auth.user: no table of its own
];

const OTHER_TYPES = [
  ...['action', 'bracket', 'category', 'client', 'client3d', 'comment', 'course', 'discount'],
  ...['doctorsetting', 'event', 'globalsetting', 'group', 'instance', 'jaw', 'language', 'link'],
  ...['master', 'note', 'notification', 'offer', 'operation', 'order', 'payment', 'product'],
  ...['project', 'purchase', 'reading', 'record', 'role', 'state', 'storage', 'task', 'template'],
  ...['usersetting', 'ware'],
]
  .map((model) => `dispatch.${model}`)
  .concat(['account.emailaddress', 'account.emailconfirmation', 'otp_email.emaildevice']);

function allContentTypes(): ReadonlyMap<string, number> {
  const taken = new Set(OBSERVED_TYPES.map(([id]) => id));
  const free: number[] = [];
  for (let id = 10; free.length < OTHER_TYPES.length; id += 1) if (!taken.has(id)) free.push(id);
  const others = OTHER_TYPES.map((label, i) => [label, free[i] ?? 0] as const);
  return new Map([...OBSERVED_TYPES.map(([id, label]) => [label, id] as const), ...others]);
}

/** `app_label.model` to id: 51 types, ids up to 58 with gaps. */
export const CONTENT_TYPES = allContentTypes();

export function contentTypeId(label: string): number {
  const id = CONTENT_TYPES.get(label);
  if (id === undefined) throw new Error(`no content type ${label}`);
  return id;
}

/** T29: ids with gaps, and types that are another number space. */
export const COURSES = [
  { id: 1, name: 'Main', type: 1 },
  { id: 2, name: 'Refinement', type: 2 },
  { id: 3, name: 'Replacement', type: 4 },
  { id: 4, name: 'Any', type: 3 },
  { id: 7, name: 'Invoice', type: 5 },
  { id: 8, name: 'Merchandise', type: 6 },
] as const;

export const LIVE_PRODUCT_IDS: readonly number[] = [1, 2, 3, 5, 6, 9, 12, 14, 21, 27];
export const DELETED_PRODUCT_IDS: readonly number[] = [
  4, 7, 8, 10, 11, 13, 15, 16, 17, 18, 19, 20, 22, 23, 26,
];

export const CATEGORY_COUNT = 44;
export const ROLE_COUNT = 48;
/** Roles of group Technician come first. */
export const TECHNICIAN_ROLE_COUNT = 32;
export const TEMPLATE_COUNT = 169;
/** T65: shop orders whose ids are also ids of instructions. */
export const SHOP_ORDER_COUNT = 5;
