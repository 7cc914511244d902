import { configDifferences } from '../../connectors/debezium/connector-config.ts';
import {
  shownConfig,
  shownValue,
  type ConnectorConfig,
} from '../../connectors/debezium/connector-secrets.ts';
import { withClient } from '../../connectors/postgres/connection.ts';
import { TandemError } from '../../core/errors.ts';
import { EXIT, type Command, type Context } from '../command.ts';
import { connectOf, type Connecting } from './connect-of.ts';
import { wantedConfig } from './wanted-config.ts';

/** `tandem connector plan`: the configuration to stdout, how the deployed one differs to stderr. */
export const plan: Command = {
  options: [],
  details:
    'Prints JSON, without secrets: as Kafka Connect takes it, apart from those. Changes nothing.\n' +
    'How the deployed connector differs goes to stderr.',

  async run(context) {
    const config = await context.config();
    const { mapping } = await context.mapping();
    const connecting = connectOf(config);
    const wanted = await withClient(config.source, 'connector', (source) =>
      wantedConfig(source, config, mapping, connecting),
    );
    context.out.line(JSON.stringify(shownConfig(wanted), null, 2));
    await compare(context, connecting, wanted);
    return EXIT.ok;
  },
};

async function compare(
  { notes }: Context,
  { rest, connect: { connector } }: Connecting,
  wanted: ConnectorConfig,
): Promise<void> {
  try {
    const found = await rest.config(connector);
    if (found === null) {
      notes.line(`${connector} is not deployed; next: tandem connector deploy`);
      return;
    }
    const differences = configDifferences(wanted, found);
    for (const it of differences) notes.line(differenceLine(it));
    notes.line(
      differences.length === 0
        ? `${connector} is deployed like this`
        : `${connector} differs in ${differences.length} settings; next: tandem connector deploy`,
    );
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    notes.line(`not compared with what is deployed: ${error.message}`);
  }
}

/** `~ name: old -> new`, `+` what is to be added, `-` what is to go. */
function differenceLine(it: ReturnType<typeof configDifferences>[number]): string {
  const { name, wanted, found } = it;
  const shown = (value: string) => shownValue(name, value);
  if (found === null) return `+ ${name}: ${shown(wanted ?? '')}`;
  if (wanted === null) return `- ${name}: ${shown(found)}`;
  return `~ ${name}: ${shown(found)} -> ${shown(wanted)}`;
}
