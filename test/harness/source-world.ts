import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { TestDatabase } from './database.ts';
import { LEGACY_SCHEMA, TARGET_SCHEMA } from './small-schema.ts';
import { tandem, type Settings, type TandemProcess } from './tandem-process.ts';

/** The two small schemas, and what `tandem` has to be told to replicate one into the other. */
export async function smallWorld(
  source: TestDatabase,
  target: TestDatabase,
  settings: Settings = {},
): Promise<Settings> {
  await source.query(LEGACY_SCHEMA);
  await target.query(TARGET_SCHEMA);
  return {
    SOURCE_URL: source.connectionString,
    TARGET_URL: target.connectionString,
    TANDEM_SLOT: `slot_${source.name}`,
    MAPPING: fileURLToPath(new URL('./small-mapping-file.ts', import.meta.url)),
    HEARTBEAT_SECONDS: '1',
    CHUNK_ROWS: '100',
    STOP_SHARE: '1',
    ...settings,
  };
}

/** Waits until the target has all that the source had committed when this was called. */
export async function expectCaughtUp(settings: Settings, child: TandemProcess): Promise<void> {
  const args = ['status', '--caught-up', '--timeout', '60s'];
  const { code, output } = await tandem(args, settings);
  expect(code, `${output}${child.output}`).toBe(0);
}
