import { courseType, decode, instructionStatus, projectStatus, projectType } from './codes.ts';
import type { CodeTable } from './codes.ts';

type Decoded<T> = T extends CodeTable<infer V> ? V | 'unknown' : never;

const STATE_OF_ORDER: Readonly<Record<Decoded<typeof instructionStatus>, string>> = {
  no_product: 'submitted',
  submitted: 'submitted',
  approved: 'approved',
  in_production: 'in_production',
  shipped: 'shipped',
  add_plan: 'planning',
  unknown: 'unknown',
};

/** The state of a patient case, from the status code of the patient's newest order. */
export function caseStateOfOrder(status: number | null): string {
  return STATE_OF_ORDER[decode(instructionStatus, status)];
}

const STATE_OF_PROJECT: Readonly<Record<Decoded<typeof projectStatus>, string>> = {
  draft: 'submitted',
  in_progress: 'planning',
  in_review: 'under_review',
  approved: 'approved',
  archived: 'case_closed',
  deleted: 'cancelled',
  unknown: 'unknown',
};

/** The state of a project case, from the status code of the project. */
export function caseStateOfProject(status: number | null): string {
  return STATE_OF_PROJECT[decode(projectStatus, status)];
}

const TYPE_OF_PROJECT: Readonly<Record<Decoded<typeof projectType>, string>> = {
  treatment_plan: 'treatment_planning',
  simulation: 'treatment_planning',
  aligner_design: 'treatment_planning',
  scan: 'initial_consultation',
  stl_lower: 'initial_consultation',
  clinical_photo: 'initial_consultation',
  xray: 'initial_consultation',
  cbct_scan: 'initial_consultation',
  unknown: 'unknown',
};

/** The type of a project case, from the type code of the project. */
export function caseTypeOfProject(type: number | null): string {
  return TYPE_OF_PROJECT[decode(projectType, type)];
}

/** Whether a course is one of refinements. */
export function isRefinement(course: { readonly type: number | null } | null | undefined): boolean {
  return decode(courseType, course?.type ?? null) === 'refinement';
}
