import { waitFor } from './wait-for.ts';

type Scraped = { readonly status: number; readonly body: string };

/** Asks a page of a local port; null where nobody listens (yet, or any more). */
export async function scrape(port: number, path: string): Promise<Scraped | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, body: await response.text() };
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** The value of one series, as it is written: `name{label="value"}`; null where there is none. */
export async function valueOf(port: number, series: string): Promise<number | null> {
  const found = await scrape(port, '/metrics');
  const line = found?.body.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}

/** Waits for a series to have a value. */
export async function waitForValue(port: number, series: string, value: number): Promise<void> {
  await waitFor(async () => (await valueOf(port, series)) === value, {
    what: `${series} to be ${value}`,
    timeoutMs: 30_000,
  });
}

/** Waits until a page answers with this status, and returns its body. */
export async function waitForStatus(port: number, path: string, status: number): Promise<string> {
  const found = await waitFor(
    async () => {
      const answer = await scrape(port, path);
      return answer?.status === status ? answer : null;
    },
    { what: `${path} to answer ${status}`, timeoutMs: 40_000 },
  );
  return found.body;
}
