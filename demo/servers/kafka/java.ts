import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { JAVA_MAJOR } from './versions.ts';

/** The programs that the servers in Java need: how they are called, or what is missing. */
type JavaStack =
  | { readonly kind: 'available'; readonly java: string; readonly maven: string }
  | { readonly kind: 'missing'; readonly missing: string };

/** Looks for Java and Maven on this machine. */
export function javaStack(): JavaStack {
  const [java, maven] = [findJava(), findMaven()];
  if (java !== undefined && maven !== undefined) return { kind: 'available', java, maven };
  const names = [java ?? `Java ${JAVA_MAJOR} or newer`, maven ?? 'Maven'];
  const missing = names.filter((name) => name !== java && name !== maven).join(' and ');
  return { kind: 'missing', missing: missingMessage(missing) };
}

/** `java`, of JAVA_HOME or else of the path. Throws what to install. */
export function requireJava(): string {
  const java = findJava();
  if (java === undefined) throw new Error(missingMessage(`Java ${JAVA_MAJOR} or newer`));
  return java;
}

/** `mvn`. Throws what to install; Maven needs Java too. */
export function requireMaven(): string {
  const stack = javaStack();
  if (stack.kind === 'missing') throw new Error(stack.missing);
  return stack.maven;
}

/** The major version in what `java -version` prints: 8 prints "1.8.0_392". */
export function javaMajor(printed: string): number {
  const [, first = '0', second = '0'] = /version "(\d+)(?:\.(\d+))?/.exec(printed) ?? [];
  return Number(first === '1' ? second : first);
}

function findJava(): string | undefined {
  const home = process.env['JAVA_HOME'];
  const candidates = home === undefined || home === '' ? [] : [join(home, 'bin', 'java')];
  return [...candidates, 'java'].find((java) => {
    const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
    return javaMajor(stderr ?? '') >= JAVA_MAJOR;
  });
}

function findMaven(): string | undefined {
  const name = process.platform === 'win32' ? 'mvn.cmd' : 'mvn';
  // Not `mvn --version`, which starts Java and fails without it: that is asked for by itself.
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
  return found.status === 0 ? name : undefined;
}

function missingMessage(missing: string): string {
  return (
    `the Kafka servers need ${missing}. On Debian or Ubuntu: ` +
    `apt-get install default-jre-headless maven; on macOS: brew install openjdk maven`
  );
}
