import { failuresOf } from '../../connectors/debezium/connector-status.ts';
import { withClient } from '../../connectors/postgres/connection.ts';
import { readSlot } from '../../connectors/postgres/slot.ts';
import { readerText, readSlotReader } from '../../connectors/postgres/slot-reader.ts';
import { TandemError } from '../../core/errors.ts';
import { formatLsn } from '../../core/version.ts';
import { EXIT, type Command } from '../command.ts';
import { formatSize } from '../units.ts';
import { sightLines } from '../../monitoring/connector-sight.ts';
import { connectOf } from './connect-of.ts';

/** `tandem connector status [--json]`: exit code 1 when the connector or a task has failed. */
export const statusCommand: Command = {
  options: [{ flags: '--json', help: 'print JSON' }],
  details: 'Exit code 1 when the connector or a task of it has failed.',

  async run(context, flags) {
    const config = await context.config();
    const { connect, rest } = connectOf(config);
    const { connector } = connect;
    const status = await rest.status(connector);
    if (status === null) throw new TandemError('CONNECTOR_MISSING', { connector, url: rest.url });
    const slot = await withClient(config.source, 'connector', async (source) => {
      const state = await readSlot(source, config.slot);
      const reader = await readSlotReader(source, config.slot);
      const confirmed = state.exists ? state.confirmedFlushLsn : null;
      const retained = state.exists ? state.retainedBytes : null;
      return {
        name: config.slot,
        exists: state.exists,
        reader,
        confirmed: confirmed === null ? null : formatLsn(confirmed),
        retainedBytes: retained === null ? null : Number(retained),
      };
    });
    if (flags['json'] === true) context.out.line(JSON.stringify({ ...status, slot }));
    else {
      const [first = '', ...tasks] = sightLines({ kind: 'there', status });
      context.out.line(`connector  ${first}`);
      for (const task of tasks) context.out.line(`           ${task}`);
      const reader =
        slot.reader === null ? 'nobody reads it' : `read by ${readerText(slot.reader)}`;
      const kept =
        slot.retainedBytes === null ? '' : `, keeps ${formatSize(slot.retainedBytes)} of WAL`;
      context.out.line(
        slot.exists
          ? `slot       ${slot.name}: ${reader}, confirmed ${slot.confirmed ?? '?'}${kept}`
          : `slot       ${slot.name}: not there; next: tandem setup`,
      );
    }
    return failuresOf(status).length > 0 ? EXIT.failure : EXIT.ok;
  },
};
