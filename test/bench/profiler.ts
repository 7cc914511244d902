import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

/** Takes a CPU profile of `work` alone, without the start of the process; null: just works. */
export async function profiled<T>(file: string | null, work: () => Promise<T>): Promise<T> {
  if (file === null) return work();
  const session = new Session();
  session.connect();
  const post = (method: string) =>
    new Promise<object>((resolve, reject) => {
      session.post(method, (error: Error | null, result?: object) =>
        error === null ? resolve(result ?? {}) : reject(error),
      );
    });
  try {
    await post('Profiler.enable');
    await post('Profiler.start');
    const result = await work();
    const { profile } = (await post('Profiler.stop')) as { profile: object };
    writeFileSync(file, JSON.stringify(profile));
    return result;
  } finally {
    session.disconnect();
  }
}
