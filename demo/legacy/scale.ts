/** How large the generated world is, against the counts of November 2025. */
export const SCALES = ['tiny', 'small', 'medium', 'full'] as const;
export type Scale = (typeof SCALES)[number];

const FACTOR: Readonly<Record<Scale, number>> = { tiny: 0.001, small: 0.01, medium: 0.1, full: 1 };

/** Rows in November 2025, and how many a small world needs so that every trap finds a row. */
const COUNTS = {
  doctors: { november: 1213, least: 48 },
  staff: { november: 146, least: 24 },
  auth_user_user_permissions: { november: 50, least: 5 },
  dispatch_office: { november: 898, least: 32 },
  dispatch_office_doctors: { november: 472, least: 20 },
  dispatch_patient: { november: 8527, least: 80 },
  dispatch_offer: { november: 788, least: 40 },
  dispatch_discount: { november: 151, least: 16 },
  dispatch_instruction: { november: 25_259, least: 120 },
  dispatch_state: { november: 5547, least: 80 },
  dispatch_project: { november: 72_155, least: 160 },
  dispatch_plan: { november: 73_000, least: 162 },
  dispatch_file: { november: 327_771, least: 120 },
  dispatch_record: { november: 70_742, least: 200 },
  dispatch_comment: { november: 16_312, least: 40 },
  dispatch_note: { november: 1000, least: 16 },
  dispatch_task: { november: 969_000, least: 600 },
  dispatch_payment: { november: 17_297, least: 120 },
  dispatch_operation: { november: 3720, least: 60 },
} as const;

export type Counts = Readonly<Record<keyof typeof COUNTS, number>>;

export function countsFor(scale: Scale): Counts {
  const entries = Object.entries(COUNTS).map(([name, { november, least }]) => [
    name,
    Math.max(least, Math.round(november * FACTOR[scale])),
  ]);
  return Object.fromEntries(entries) as Counts;
}
