import { withClient } from '../../connectors/postgres/connection.ts';
import { readPublication } from '../../connectors/postgres/publication.ts';
import { dropSlot, readSlot } from '../../connectors/postgres/slot.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import { TandemError } from '../../core/errors.ts';
import { dropShadow, listShadows } from '../../proof/shadow/shadow-schema.ts';
import { EXIT, type Command, type Context } from '../command.ts';

/** `tandem teardown [--yes]`: takes slot and publication off the source, and shadows off the target. */
export const teardown: Command = {
  options: [{ flags: '--yes', help: 'do not ask' }],
  details: 'The data of the target stay, and so does what Tandem recorded there. Shadows go.',

  async run(context, flags) {
    const { source: database, slot, publication } = await context.config();
    return await withClient(database, 'teardown', async (client) => {
      const hasSlot = (await readSlot(client, slot)).exists;
      const hasPublication = (await readPublication(client, publication)) !== null;
      if (!hasSlot && !hasPublication) {
        context.out.line(
          `nothing to do: there is no slot ${slot} and no publication ${publication}`,
        );
        await dropShadows(context);
        return EXIT.ok;
      }
      if (flags['yes'] !== true) {
        const question = `Drop slot ${slot} and publication ${publication}? Changes from now on are lost to the target.`;
        const answer = await context.confirm(question);
        if (answer === null) {
          context.notes.line('error: teardown drops the slot for good, and there is nobody to ask');
          context.notes.line('next:  add --yes');
          return EXIT.usage;
        }
        if (!answer) {
          context.out.line('nothing was dropped');
          return EXIT.ok;
        }
      }
      // The slot first: decoding would fail without the publication.
      if (await dropSlot(client, slot)) context.out.line(`dropped slot ${slot}`);
      if (hasPublication) {
        await client.query(`drop publication if exists ${ident(publication)}`);
        context.out.line(`dropped publication ${publication}`);
      }
      await dropShadows(context);
      context.out.line(
        'kept the target: its tables, the mirror (schema legacy) and the records (schema tandem)',
      );
      context.out.line('to start again: tandem setup --new-slot, then tandem backfill');
      return EXIT.ok;
    });
  },
};

/** Copies to look at, which nobody needs any more. The target may be gone before. */
async function dropShadows(context: Context): Promise<void> {
  const { target, stream } = await context.config();
  try {
    await withClient(target, 'teardown', async (client) => {
      for (const schema of await listShadows(client, stream)) {
        await dropShadow(client, schema);
        context.out.line(`dropped schema ${schema} of the target, a shadow`);
      }
    });
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    context.notes.line(`shadows were not looked for: ${error.message}`);
  }
}
