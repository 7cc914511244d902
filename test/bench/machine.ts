import { cpus, totalmem, type, release } from 'node:os';
import { readFileSync } from 'node:fs';
import { rowsOf } from './database.ts';

/** What the numbers were measured on. */
export function describeMachine(): object {
  return {
    system: `${type()} ${release()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
  };
}

const STATED = [
  ...['server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'wal_level'],
  ...['shared_buffers', 'work_mem', 'maintenance_work_mem', 'max_wal_size', 'checkpoint_timeout'],
  ...['autovacuum', 'track_commit_timestamp', 'jit', 'max_parallel_workers_per_gather'],
];

/** The settings that matter, as the server says them. */
export async function describeServer(url: string): Promise<Record<string, string>> {
  const rows = await rowsOf(
    url,
    `select name, current_setting(name) from pg_settings where name = any($1)`,
    [STATED],
  );
  return Object.fromEntries(rows.map(([name, value]) => [name ?? '', value ?? '']));
}

/** Peak resident memory of a process, from the kernel's own account; null where there is none. */
export function peakMemory(pid: number): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}
