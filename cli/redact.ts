/** Hides secrets in texts that came from elsewhere (a driver's message, a log line). */
export type Redact = (text: string) => string;

const URL_PASSWORD = /(\w+:\/\/[^\s:/@]*:)([^\s]*)@/g;
const SECRET_PARAMETER = /([?&](?:password|sslpassword|apikey|token)=)[^&\s"']*/gi;
const SHORTEST_SECRET = 4;

/**
 * Replaces every known secret, in each form it may take on its way (as it is, percent-encoded,
 * inside JSON), by `***`, and any password inside something that looks like a URL.
 *
 * Our own lines never hold a secret; this is for what others write. `known` texts are visible
 * anyway: a password that is also the user's name cannot be told apart from it.
 */
export function makeRedact(secrets: Iterable<string>, known: Iterable<string> = []): Redact {
  const visible = new Set(known);
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < SHORTEST_SECRET || visible.has(secret)) continue;
    forms.add(secret);
    forms.add(encodeURIComponent(secret));
    forms.add(encodeURI(secret));
    forms.add(JSON.stringify(secret).slice(1, -1));
  }
  // Longest first: a form may contain another one.
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return (text) => {
    let hidden = text;
    for (const form of longestFirst) hidden = hidden.replaceAll(form, '***');
    return hidden.replace(URL_PASSWORD, hideInUrl).replace(SECRET_PARAMETER, '$1***');
  };
}

/** Our own examples say `password`, and may. */
function hideInUrl(whole: string, start: string, password: string): string {
  return password === 'password' ? whole : `${start}***@`;
}
