import type { RawMessage } from '../../core/log-message.ts';

/** With the key of a delete that a key change made: the new key, as JSON. */
export const NEW_KEY_HEADER = '__debezium.newkey';
/** With the row that a key change made: the key before, as JSON. */
export const OLD_KEY_HEADER = '__debezium.oldkey';
/**
 * Ours: a JSON object of PostgreSQL's texts, by column, for the values that Debezium's form of the
 * message cannot carry; `false` for one that was left alone. Other readers see what Debezium would
 * have sent them.
 */
export const EXACT_HEADER = 'tandem.exact';

/** What stands in the place of a large value that an update left alone. */
export const UNAVAILABLE = '__debezium_unavailable_value';

/** The text of a header, whatever the client made of it. */
export function headerText(message: RawMessage, name: string): string | null {
  const value = message.headers[name];
  if (value === undefined) return null;
  return typeof value === 'string' ? value : value.toString('utf8');
}
