/** A share of the ranges, 0 to 1. The same seed draws the same ranges. */
export type Sample = { readonly share: number; readonly seed: number };

/**
 * Whether the range of this number (from 1) is drawn: ranges at equal distances, the first of them
 * chosen by the seed, so that the share is met in every part of the table.
 */
export function isDrawn({ share, seed }: Sample, number: number): boolean {
  const start = ((seed * 2654435761) % 4294967296) / 4294967296;
  return Math.floor(start + number * share) > Math.floor(start + (number - 1) * share);
}
