/** Times of the legacy system, in milliseconds since 1970. The generated world ends at `NOW`. */
export const FIRST_BUSINESS_DAY = Date.UTC(2018, 2, 12, 8);
export const NOW = Date.UTC(2025, 10, 17, 18);
export const DAY_MS = 86_400_000;

/** A timestamp as PostgreSQL reads it, with microseconds, which most rows of Django have. */
export function timestamp(ms: number, microseconds: number): string {
  const iso = new Date(ms).toISOString();
  const micro = String(microseconds % 1000).padStart(3, '0');
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${micro}+00`;
}

export function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
