import { execFileSync, spawn } from 'node:child_process';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { withClient } from './database.ts';
import type { MirrorCopy } from './mirror-copies.ts';
import type { World } from './world.ts';

/** Rows of all tables from server to server without us, table after table; returns seconds. */
export type PlainCopy = (
  world: World,
  targetUrl: string,
  copies: readonly MirrorCopy[],
) => Promise<number>;

/** What `psql --version` says; null where it is not installed. */
export function psqlVersion(): string | null {
  try {
    return execFileSync('psql', ['--version'], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}

const PIPE = 'psql "$FROM" -Xqc "$OUT" | psql "$INTO" -Xq -v ON_ERROR_STOP=1 -c "$IN"';

/** `psql … copy to stdout | psql … copy from stdin`: two processes and two sessions a table. */
export const copyByPsql: PlainCopy = async (world, targetUrl, copies) => {
  const start = performance.now();
  for (const copy of copies) await psqlToPsql(world, targetUrl, copy);
  return (performance.now() - start) / 1000;
};

async function psqlToPsql(world: World, targetUrl: string, copy: MirrorCopy): Promise<void> {
  const child = spawn('/bin/sh', ['-c', PIPE], {
    env: {
      PATH: process.env['PATH'],
      ...{ FROM: world.sourceUrl, OUT: copy.out, INTO: targetUrl, IN: copy.in },
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  world.adopt(child);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`psql failed for ${copy.table}`);
}

/** The driver's COPY, piped without a look at it, over one session on either side. */
export const copyByDriver: PlainCopy = async (world, targetUrl, copies) =>
  withClient(world.sourceUrl, (source) =>
    withClient(targetUrl, async (target) => {
      const start = performance.now();
      for (const copy of copies) {
        await pipeline(source.query(copyTo(copy.out)), target.query(copyFrom(copy.in)));
      }
      return (performance.now() - start) / 1000;
    }),
  );

/** Bytes of COPY text that a statement sends. */
export async function copyBytes(url: string, statement: string): Promise<number> {
  return withClient(url, async (client) => {
    let bytes = 0;
    const count = new Writable({
      write(part: Buffer, _encoding, done) {
        bytes += part.length;
        done();
      },
    });
    await pipeline(client.query(copyTo(statement)), count);
    return bytes;
  });
}
