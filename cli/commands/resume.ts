import { resumeEntities } from '../../consumers/entity-state.ts';
import { inactiveEntities } from '../../monitoring/entity-states.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command } from '../command.ts';
import { Engine } from '../engine.ts';
import { finishJobs } from '../finish-jobs.ts';
import { reportJobs, WAIT_OPTIONS, waitOf } from '../job-report.ts';
import { derivedEntities } from '../known-entities.ts';
import { withRecords } from '../records/open-records.ts';
import { inactiveText } from '../status-lines.ts';
import { sameMapping } from '../same-mapping.ts';

/** `tandem resume ENTITY…`: they go on, and what they missed is derived. */
export const resume: Command = {
  arguments: [{ name: '<entities...>', help: 'names of entities, paused or stopped' }],
  options: WAIT_OPTIONS,
  details:
    'All of their rows are derived again, as a job of the process that streams, or here where none\n' +
    'does. One that stopped is mended first: it stops again where as many rows are refused.',

  async run(context, flags, [names]) {
    const wait = waitOf(context, flags);
    if (wait === null) return EXIT.usage;
    const wanted = await derivedEntities(
      context,
      typeof names === 'object' ? names : [],
      'a journal is never paused',
    );
    if (wanted === null) return EXIT.usage;
    const config = await context.config();
    const { mapping } = await context.mapping();
    const observer = await context.observer();
    return await withRecords(context, async (target) => {
      const engine = await Engine.open({ config, mapping, observer, clock: systemClock });
      const asked = new Set(wanted.map(({ name }) => name));
      // Parents first: then their children find them.
      const order = engine.model.entities.map(({ name }) => name).filter((name) => asked.has(name));
      if (!(await sameMapping(context, engine, target, order))) return EXIT.failure;
      const before = await inactiveEntities(target);
      const { entities, jobs } = await resumeEntities(target, order);
      for (const name of order) {
        const was = before.find((one) => one.entity === name);
        if (was === undefined) context.out.line(`${name}: is active, and goes on as it was`);
        else if (entities.includes(name)) {
          context.out.line(`${name}: goes on; it was ${inactiveText(was)}`);
        } else context.out.line(`${name}: goes on with its table; ${inactiveText(was)}`);
      }
      const left = await engine.remaining();
      if (jobs.length === 0 || left.tables.length + left.entities.length > 0) return EXIT.ok;
      const fate = await finishJobs(context, { engine, target }, { jobs, ...wait });
      return reportJobs(context, target, { fate, entities, timeoutMs: wait.timeoutMs });
    });
  },
};
