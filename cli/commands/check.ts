import { placeOf } from '../../connectors/postgres/connection.ts';
import { TandemError } from '../../core/errors.ts';
import { failure, SUBJECTS, type CheckResult } from '../check/result.ts';
import { runChecks } from '../check/run-checks.ts';
import { EXIT, type Command, type Context } from '../command.ts';
import type { Config } from '../config.ts';
import type { LoadedMapping } from '../load-mapping.ts';

/** `tandem check [--json]`: exit code 1 when a check fails; warnings do not count. */
export const check: Command = {
  options: [{ flags: '--json', help: 'print JSON' }],
  details: 'Reads only. Exit code 1 when a check fails; a warning is for you to judge.',

  async run(context, flags) {
    const config = await context.config();
    const { loaded, results: mappingResults } = await loadOrExplain(context);
    const found = [...(await runChecks({ config, loaded })), ...mappingResults];
    const results = SUBJECTS.flatMap((subject) => found.filter((it) => it.subject === subject));
    const count = (status: CheckResult['status']) =>
      results.filter((it) => it.status === status).length;
    const summary = { ok: count('ok'), warnings: count('warning'), failures: count('failure') };

    if (flags['json']) context.out.line(JSON.stringify({ checks: results, summary }, null, 2));
    else print(context, config, results, summary);
    return summary.failures === 0 ? EXIT.ok : EXIT.failure;
  },
};

/** A mapping that does not load is a failure among others: the databases are worth a look anyway. */
async function loadOrExplain(
  context: Context,
): Promise<{ loaded: LoadedMapping | null; results: readonly CheckResult[] }> {
  try {
    return { loaded: await context.mapping(), results: [] };
  } catch (error) {
    if (!(error instanceof TandemError) || error.code !== 'MAPPING_INVALID') throw error;
    const { file, problem } = error.details;
    const topic = {
      subject: 'mapping',
      name: 'loads',
      why: 'It says which tables are read, and what becomes of their rows.',
    } as const;
    const result = failure(
      topic,
      `${String(file)}: ${String(problem)}`,
      'Correct it, or name another one with --mapping.',
    );
    return { loaded: null, results: [result] };
  }
}

const MARK = { ok: 'ok     ', warning: 'warning', failure: 'FAILURE' } as const;
const COLOUR = { ok: '\u001b[32m', warning: '\u001b[33m', failure: '\u001b[31m' } as const;
const RESET = '\u001b[0m';

function print(
  { out }: Context,
  config: Config,
  results: readonly CheckResult[],
  summary: { readonly ok: number; readonly warnings: number; readonly failures: number },
): void {
  const hasColour = out.isTerminal && !process.env['NO_COLOR'];
  const width = Math.max(...results.map(({ name }) => name.length));
  const heading = {
    source: `Source  ${placeOf(config.source)}`,
    target: `Target  ${placeOf(config.target)}`,
    kafka: `Kafka   ${config.kafka?.access.brokers.join(', ') ?? ''}`,
    mapping: 'Mapping',
  };
  for (const subject of SUBJECTS) {
    const own = results.filter((it) => it.subject === subject);
    if (own.length === 0) continue;
    out.line(heading[subject]);
    for (const { status, name, found, why, mend } of own) {
      const mark = hasColour ? `${COLOUR[status]}${MARK[status]}${RESET}` : MARK[status];
      out.line(`  ${mark}  ${name.padEnd(width)}  ${found}`);
      if (mend !== null) {
        out.line(`           ${''.padEnd(width)}  why:  ${why}`);
        out.line(`           ${''.padEnd(width)}  mend: ${mend}`);
      }
    }
    out.line();
  }
  const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`;
  out.line(
    `${summary.ok} ok, ${plural(summary.warnings, 'warning')}, ${plural(summary.failures, 'failure')}`,
  );
}
