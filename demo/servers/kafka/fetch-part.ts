import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { cacheFolder, filledOnce } from '../cache.ts';
import { requireMaven } from './java.ts';
import { PARTS, type PartName } from './parts.ts';
import { pomOf } from './pom.ts';

const FETCH_MS = 600_000;

/** Told while Maven downloads: the bytes of one file more. */
type OnDownload = (bytes: number) => void;

/** Whether nothing would have to be downloaded. */
export function isFetched(name: PartName): boolean {
  return existsSync(placeOf(name).folder);
}

/**
 * The folder of a part, fetched by Maven when first asked for. It is in the user's cache, under a
 * name made of the version and the hash of the Maven project, so another version is another folder.
 */
export async function fetchPart(name: PartName, onDownload?: OnDownload): Promise<string> {
  const part = PARTS[name];
  const { pom, folder } = placeOf(name);
  return filledOnce({
    folder,
    // One for all parts: Maven's own folder is not made for two of them at a time.
    turn: join(cacheFolder(), 'maven.lock'),
    what: `${part.name}, which Maven fetches`,
    timeoutMs: FETCH_MS,
    fill: (fresh) => runMaven(part.name, pom, fresh, onDownload),
  });
}

function placeOf(name: PartName): { readonly pom: string; readonly folder: string } {
  const part = PARTS[name];
  const pom = pomOf(part);
  const hash = createHash('sha256').update(pom).digest('hex').slice(0, 12);
  return { pom, folder: join(cacheFolder(), `${part.name}-${part.artifact.version}-${hash}`) };
}

async function runMaven(
  part: string,
  pom: string,
  into: string,
  onDownload: OnDownload = () => undefined,
): Promise<void> {
  const maven = requireMaven();
  const file = join(into, 'pom.xml');
  await writeFile(file, pom);
  const args = ['--batch-mode', '-Dstyle.color=never', `-Dinto=${into}`];
  const running = promisify(execFile)(maven, [...args, '--file', file, 'package'], {
    cwd: into,
    timeout: FETCH_MS,
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32', // mvn is a script there
  });
  const { child } = running;
  const last = () => void child.kill();
  process.once('exit', last);
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const bytes = downloadedBytes(line);
      if (bytes > 0) onDownload(bytes);
    });
  }
  try {
    await running;
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    const said =
      stdout
        ?.match(/\[ERROR\] .+/g)
        ?.slice(0, 3)
        .join('; ') ?? String(error);
    throw new Error(`Maven could not fetch ${part}: is there a network? ${said}`, { cause: error });
  } finally {
    process.removeListener('exit', last);
  }
  for (const trace of ['markers', 'target']) {
    await rm(join(into, trace), { recursive: true, force: true });
  }
}

const BYTES: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

/** Maven says `Downloaded from central: https://… (1.2 MB at 500 kB/s)`; 0 for other lines. */
export function downloadedBytes(line: string): number {
  const [, number = '0', unit = 'B'] =
    /Downloaded from \S+ \S+ \(([\d.]+) (B|kB|MB|GB) at /.exec(line) ?? [];
  return Number(number) * (BYTES[unit] ?? 0);
}
