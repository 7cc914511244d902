/** Domains and logins of accounts that were made for tests. To be edited per installation. */
const TEST_DOMAINS: ReadonlySet<string> = new Set([
  'example.com',
  'example.org',
  'example.net',
  'test.local',
]);
const TEST_USERNAMES: ReadonlySet<string> = new Set([]);

/** Whether an account was made for tests, by the domain of its e-mail or by its login. */
export function isTestAccount(email: string | null, username: string | null): boolean {
  const at = email?.lastIndexOf('@') ?? -1;
  const domain = at === -1 ? null : (email?.slice(at + 1).toLowerCase() ?? null);
  return (
    (domain !== null && TEST_DOMAINS.has(domain)) ||
    (username !== null && TEST_USERNAMES.has(username))
  );
}
