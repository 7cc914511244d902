import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openClient } from '../../connectors/postgres/connection.ts';
import { collapse } from '../../consumers/collapse.ts';
import { TableMerge, type Changed } from '../../consumers/merge.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import { play, readerAt, step } from '../harness/small-history.ts';
import { benchForFile } from '../harness/bench-for-file.ts';

const bench = await benchForFile();

const plain = (changed: readonly Changed[]) =>
  changed
    .map(({ key, image, old, concerned }) => ({
      key,
      image,
      old: old === null ? null : Object.fromEntries(old),
      concerned: concerned.map((usage) => [usage.entity, usage.table, usage.via]),
    }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));

test('a merge reports the same changes on every version of the server', async () => {
  const client = await openClient(bench.target, 'test');
  const history = fc.array(step, { minLength: 5, maxLength: 60, size: 'max' });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  try {
    await fc.assert(
      fc.asyncProperty(history, share, async (steps, share) => {
        await bench.reset();
        const past = play(bench, steps);
        const reader = readerAt(bench, past);
        const at = Math.floor(share * past.events.length);
        const merged = async (events: readonly ChangeEvent[], serverVersion: number) => {
          const changed: unknown[] = [];
          for (const [name, changes] of collapse(events, () => false)) {
            const usages = bench.model.usagesOf.get(name) ?? [];
            const merge = new TableMerge(bench.table(name), usages, serverVersion);
            changed.push([name, plain(await merge.run(client, changes, reader))]);
          }
          return changed;
        };
        await merged(past.events.slice(0, at), 180_000);
        const rest = past.events.slice(at);
        const found: unknown[] = [];
        for (const serverVersion of [150_000, 180_000]) {
          await client.query('begin');
          found.push(await merged(rest, serverVersion));
          await client.query('rollback');
        }
        expect(found[0]).toEqual(found[1]);
        // And the image that is reported is the one that is stored.
        for (const [name, changes] of collapse(rest, () => false)) {
          const merge = new TableMerge(bench.table(name), [], 180_000);
          for (const { key, image } of await merge.run(client, changes, reader)) {
            const stored = await merge.stored(client, [key]);
            expect(stored.get(key)?.image).toEqual(image);
          }
        }
      }),
      { numRuns: 25 },
    );
  } finally {
    await client.end();
  }
});
