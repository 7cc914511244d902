import { readFileSync } from 'node:fs';

/** The kernel's ticks, which are a hundredth of a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time of a process so far, in seconds; null where the kernel keeps no account. */
export function cpuSeconds(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program may hold blanks; it ends with the last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}
