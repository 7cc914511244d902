import { yearMonth } from './times.ts';

/** Six digits with zeros in front; a longer number stays whole. */
const padded = (id: number): string => String(id).padStart(6, '0');

/** `PAT-` and the patient's legacy id, padded. */
export const patientNumber = (patientId: number): string => `PAT-${padded(patientId)}`;

/** `DOC-` and the user's legacy id, padded. */
export const doctorNumber = (userId: number): string => `DOC-${padded(userId)}`;

/** `PAY-` and the payment's legacy id, padded. */
export const paymentNumber = (paymentId: number): string => `PAY-${padded(paymentId)}`;

/** The suffix of the instruction, else of its patient, and the legacy id; `ORD-` without either. */
export function orderNumber(
  instructionId: number,
  suffixes: { readonly own: string | null; readonly ofPatient: string | null },
): string {
  return `${suffixes.own || suffixes.ofPatient || 'ORD'}-${instructionId}`;
}

/** `CASE-`, the patient's suffix (`PT` without one), `-` and the patient's legacy id. */
export function patientCaseNumber(patientId: number, suffix: string | null): string {
  return `CASE-${suffix || 'PT'}-${patientId}`;
}

/** `CASE-` and the project's legacy id. */
export const projectCaseNumber = (projectId: number): string => `CASE-${projectId}`;

/** `PRJ-`, year and month of the creation in UTC, `-` and the project's legacy id. */
export function projectNumber(projectId: number, createdAt: string | null): string {
  return `PRJ-${yearMonth(createdAt)}-${projectId}`;
}
