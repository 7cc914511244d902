import type { Admin, Kafka } from 'kafkajs';
import type { ErrorDetails } from '../../core/errors.ts';
import { kafkaError } from './kafka-error.ts';

/** `what` says what is tried, where it fails; the rest, on what. */
export type Attempt = { readonly what: string } & ErrorDetails;

/**
 * Asks the cluster by a connection that is closed afterwards.
 *
 * @throws TandemError what `kafkaError` makes of a failure, be it to connect
 */
export async function withAdmin<T>(
  kafka: Kafka,
  { what, ...details }: Attempt,
  ask: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await ask(admin);
  } catch (error) {
    throw kafkaError(error, what, details);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
