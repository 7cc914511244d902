import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Random } from '../../demo/legacy/random.ts';
import type { TestDatabase } from './database.ts';
import { expectSmallAgreement } from './small-agreement.ts';
import { LEGACY_SCHEMA, TARGET_SCHEMA } from './small-schema.ts';
import { smallTraffic } from './source-traffic.ts';
import { tandem, TandemProcess, type Settings } from './tandem-process.ts';

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
export async function expectCaughtUp(
  settings: Settings,
  child: TandemProcess,
  timeout = '90s',
): Promise<void> {
  const args = ['status', '--caught-up', '--timeout', timeout];
  const { code, output } = await tandem(args, settings);
  expect(code, `${output}${child.output}`).toBe(0);
}

/** Some rows, and a run that has brought them over and goes on. */
export async function startFilled(
  settings: Settings,
  source: TestDatabase,
  random: Random,
): Promise<TandemProcess> {
  await smallTraffic(source, random);
  const child = new TandemProcess(['run'], settings);
  try {
    await expectCaughtUp(settings, child);
    return child;
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}

/** What somebody does who followed the hint of a slot that cannot go on. */
export async function expectNewCopy(
  settings: Settings,
  source: TestDatabase,
  target: TestDatabase,
): Promise<void> {
  const { code, output } = await tandem(['setup', '--new-slot'], settings);
  expect(code, output).toBe(0);
  await using child = new TandemProcess(['run'], settings);
  await expectCaughtUp(settings, child);
  await expectSmallAgreement(source, target);
  expect(await child.stop()).toBe(0);
}

/** The run ends by itself, with this error and a next step. */
export async function expectRefusal(
  child: TandemProcess,
  refusal: { readonly code: string; readonly next: string },
): Promise<void> {
  expect(await child.exited, child.output).toBe(1);
  expect(child.output).toContain(refusal.code);
  expect(child.output).toContain(refusal.next);
}
