/** What is known of an account when its type is detected. */
type AccountFacts = {
  readonly hasPatientRow: boolean;
  /** In lower case. */
  readonly groups: ReadonlySet<string>;
  readonly holdsTechnicianRole: boolean;
  readonly isSuperuser: boolean;
  readonly isDoctor: boolean;
  readonly isStaff: boolean;
};

type Rule = {
  readonly reason: string;
  readonly type: string;
  readonly holds: (account: AccountFacts) => boolean;
};

const inGroup =
  (...names: readonly string[]) =>
  (account: AccountFacts): boolean =>
    names.some((name) => account.groups.has(name));

/** First match wins. Whether an account is active never matters. */
const RULES: readonly Rule[] = [
  { reason: 'patient_row', type: 'patient', holds: (account) => account.hasPatientRow },
  { reason: 'group_doctor', type: 'doctor', holds: inGroup('doctor') },
  { reason: 'group_technician', type: 'technician', holds: inGroup('technician') },
  { reason: 'technician_role', type: 'technician', holds: (it) => it.holdsTechnicianRole },
  { reason: 'group_master', type: 'master', holds: inGroup('master') },
  { reason: 'group_admin', type: 'admin', holds: inGroup('administrator', 'admin') },
  { reason: 'group_sales', type: 'sales_person', holds: inGroup('sales') },
  { reason: 'group_support', type: 'support_agent', holds: inGroup('support') },
  { reason: 'superuser', type: 'master', holds: (account) => account.isSuperuser },
  { reason: 'doctor_row', type: 'doctor', holds: (account) => account.isDoctor },
  { reason: 'staff', type: 'technician', holds: (account) => account.isStaff },
  { reason: 'group_patient', type: 'patient', holds: inGroup('patient') },
];

/** The type of an account, and the name of the rule that decided it. */
export function detectProfileType(account: AccountFacts): { type: string; reason: string } {
  const rule = RULES.find((rule) => rule.holds(account));
  return { type: rule?.type ?? 'client', reason: rule?.reason ?? 'fallback' };
}
