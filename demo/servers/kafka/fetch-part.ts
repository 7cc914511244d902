import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, filledOnce } from '../cache.ts';
import { requireMaven } from './java.ts';
import { PARTS, type PartName } from './parts.ts';
import { pomOf } from './pom.ts';

const FETCH_MS = 600_000;

/**
 * The folder of a part, fetched by Maven when first asked for. It is in the user's cache, under a
 * name made of the version and the hash of the Maven project, so another version is another folder.
 */
export async function fetchPart(name: PartName): Promise<string> {
  const part = PARTS[name];
  const pom = pomOf(part);
  const hash = createHash('sha256').update(pom).digest('hex').slice(0, 12);
  return filledOnce({
    folder: join(cacheFolder(), `${part.name}-${part.artifact.version}-${hash}`),
    // One for all parts: Maven's own folder is not made for two of them at a time.
    turn: join(cacheFolder(), 'maven.lock'),
    what: `${part.name}, which Maven fetches`,
    timeoutMs: FETCH_MS,
    fill: (fresh) => runMaven(part.name, pom, fresh),
  });
}

async function runMaven(part: string, pom: string, into: string): Promise<void> {
  const maven = requireMaven();
  const file = join(into, 'pom.xml');
  await writeFile(file, pom);
  const args = ['--batch-mode', '--no-transfer-progress', '-Dstyle.color=never', `-Dinto=${into}`];
  try {
    await promisify(execFile)(maven, [...args, '--file', file, 'package'], {
      cwd: into,
      timeout: FETCH_MS,
      maxBuffer: 64 * 1024 * 1024,
      shell: process.platform === 'win32', // mvn is a script there
    });
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    const said =
      stdout
        ?.match(/\[ERROR\] .+/g)
        ?.slice(0, 3)
        .join('; ') ?? String(error);
    throw new Error(`Maven could not fetch ${part}: is there a network? ${said}`, { cause: error });
  }
  for (const trace of ['markers', 'target']) {
    await rm(join(into, trace), { recursive: true, force: true });
  }
}
