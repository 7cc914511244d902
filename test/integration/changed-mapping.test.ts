import { expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import type { Workplace } from './cli-run.ts';
import { controlWorkplace, editedMapping } from './control-workplace.ts';

const CHANGED =
  /^mapping {6}patient: changed since [\d: -]+; next: tandem reprocess --entity patient$/m;
const EDIT = ['name: root.name, height', `name: (root.name ?? '') + '!', height`] as const;

async function streams(work: Workplace, running: TandemProcess): Promise<string> {
  let out = '';
  await waitFor(
    async () => {
      const { code } = await work.run('status', '--caught-up', '--timeout', '20s');
      ({ out } = await work.run('status'));
      return code === 0 && out.includes('read by process');
    },
    { what: `the stream: ${running.output}`, timeoutMs: 60_000 },
  );
  return out;
}

test('a mapping that changed is noticed at the start; the rows follow when they are asked to', async () => {
  await using pair = await freshPair();
  using work = await controlWorkplace(pair);
  const { source, target } = pair;
  const marked = async () =>
    Number(
      (await target.query(`select count(*)::int as n from patients where name like '%!'`))[0]?.[
        'n'
      ],
    );
  await using first = new TandemProcess(['run'], work.environment);
  expect(await streams(work, first)).not.toMatch(CHANGED);
  expect(await first.stop()).toBe(0);
  expect(first.output).not.toContain('mapping changed');

  const edited = editedMapping(work, EDIT);
  await using second = new TandemProcess(['run'], edited);
  expect(await streams(work, second)).toMatch(CHANGED);
  expect(second.output).toContain('"event":"mapping changed"');
  expect(await marked()).toBe(0);
  await source.query(`update patient set height = 77 where id in (101, 102)`);
  await streams(work, second);
  expect(await marked()).toBe(2);
  expect((await work.run('reprocess', '--entity', 'patient')).err).toContain(
    'the process that streams has another mapping of patient',
  );
  // Two rows are of the other mapping now, so going back is a change as well.
  expect(await second.stop('SIGKILL')).toBe(null);
  await using third = new TandemProcess(['run'], work.environment);
  expect(await streams(work, third)).toMatch(CHANGED);
  expect(await third.stop()).toBe(0);

  await using fourth = new TandemProcess(['run', '--apply-mapping'], edited);
  const status = await streams(work, fourth);
  expect({ status, log: fourth.output }).toEqual({
    status: expect.not.stringMatching(CHANGED) as unknown,
    log: fourth.output,
  });
  expect(await marked()).toBe(404);
  expect(await fourth.stop()).toBe(0);
}, 180_000);
