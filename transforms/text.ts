/** Optional text: the empty string, and nothing else, becomes null. Blanks are text. */
export function emptyToNull(text: string | null): string | null {
  return text === '' ? null : text;
}

/** Cuts ASCII spaces at both ends, and no other white space. */
export function trimSpaces(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === ' ') start += 1;
  while (end > start && text[end - 1] === ' ') end -= 1;
  return text.slice(start, end);
}

/** Those of `texts` that are neither null nor empty, with a blank between; null without any. */
export function joinFilled(...texts: readonly (string | null)[]): string | null {
  return emptyToNull(texts.filter((text) => text !== null && text !== '').join(' '));
}
