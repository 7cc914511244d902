/** An HTTP service, without a `/` at its end; `login` null: it asks for none. */
export type HttpPlace = { readonly url: string; readonly login: Login | null };

export type Login = { readonly user: string; readonly password: string };

/** The header that tells who asks; none where nobody is to be told. */
export function loginHeader(login: Login | null): { readonly authorization?: string } {
  if (login === null) return {};
  const { user, password } = login;
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
