import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { downloadedBytes } from '../../demo/servers/kafka/fetch-part.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('without Java and Maven the demo through Kafka says what to install, and starts nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-no-java-'));
  try {
    const args = ['--import', 'tsx', 'demo/main.ts', '--through', 'kafka'];
    const env = { ...process.env, PATH: folder, JAVA_HOME: '', TMPDIR: folder };
    const demo = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
    expect(demo.status).toBe(1);
    expect(demo.stdout).toBe('');
    expect(demo.stderr).toMatch(
      /^--through kafka: .* Java 17 or newer and Maven\. .*apt-get install/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith('tandem-'))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what Maven has downloaded is read from its lines', () => {
  const url = 'https://repo.maven.apache.org/maven2/org/apache/kafka/kafka_2.13.jar';
  expect(downloadedBytes(`[INFO] Downloaded from central: ${url} (6.7 MB at 12 MB/s)`)).toBe(6.7e6);
  expect(downloadedBytes(`Downloaded from central: ${url} (412 B at 2.1 kB/s)`)).toBe(412);
  expect(downloadedBytes(`Downloading from central: ${url}`)).toBe(0);
  expect(downloadedBytes('[INFO] BUILD SUCCESS')).toBe(0);
});
