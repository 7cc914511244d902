import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import type { Servers, Stage } from './stage.ts';

/** `--keep`: tells how to reach what is up, and waits for Ctrl-C. */
export async function keepUp(
  { screen, interruption }: Stage,
  servers: Servers,
  { target, orderId }: { readonly target: pg.Client; readonly orderId: string | null },
): Promise<void> {
  const urls = [servers.source, servers.target].map((server) => server.connectionString());
  const [office] = await textRows(
    target,
    'select min(legacy_office_id) from public.offices where deleted_at is null',
  );
  const officeId = office?.[0] ?? '1';
  const lines = [
    '',
    screen.style('bold', 'All servers and the stream stay up, until Ctrl-C.'),
    '',
    `legacy  ${urls[0]}`,
    `target  ${urls[1]}`,
    '',
    'Three queries worth trying:',
    '',
    '1. Change something in the legacy database, and look at the target at once:',
    `   legacy> update dispatch_office set name = 'Seen at once' where id = ${officeId};`,
    `   target> select name, updated_at from offices where legacy_office_id = ${officeId};`,
    '',
    '2. The history of an order, which the legacy system keeps in no one place:',
    '   target> select changed_at, origin, from_status, to_status, duration_in_previous',
    '             from order_state_history h join orders o on o.id = h.order_id',
    `             where legacy_instruction_id = ${orderId ?? '1'} order by changed_at;`,
    '',
    '3. What did not fit its column, and why. Nothing of it is lost:',
    '   target> select entity, target_column, reason, count(*)',
    '             from tandem.issue group by 1, 2, 3 order by 4 desc;',
    '',
    'And, in this folder, in another terminal:',
    `   export SOURCE_URL=${urls[0]}`,
    `   export TARGET_URL=${urls[1]}`,
    ...(['KAFKA_BROKERS', 'CONNECT_URL'] as const).flatMap((name) => {
      const value = servers.settings[name];
      return value === undefined ? [] : [`   export ${name}=${value}`];
    }),
    '   npx tandem status --watch',
    '',
    'Ctrl-C (or SIGTERM to this process) stops all of it and removes the data.',
  ];
  for (const line of lines) screen.line(line);
  await interruption.untilSignal();
  screen.line();
}
