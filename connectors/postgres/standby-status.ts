import type { Lsn } from '../../core/version.ts';

const PG_EPOCH_MS = Date.UTC(2000, 0, 1);

/**
 * A standby status update: `r`, then written, flushed and applied position (the same three times),
 * the client's time, and whether the server shall answer.
 *
 * The position goes out as it is. The library's own `acknowledge` adds one byte; a transaction whose
 * commit record starts right behind the confirmed one (two that commit at the same time) would then
 * start "before" the slot's position, and the server would never send it again.
 *
 * Source: https://www.postgresql.org/docs/15/protocol-replication.html
 */
export function standbyStatus(update: {
  readonly position: Lsn;
  readonly nowMs: number;
  readonly wantsReply: boolean;
}): Buffer {
  const message = Buffer.allocUnsafe(34);
  message.write('r', 0, 'latin1');
  for (const offset of [1, 9, 17]) message.writeBigUInt64BE(update.position, offset);
  message.writeBigInt64BE(BigInt(Math.floor(update.nowMs) - PG_EPOCH_MS) * 1000n, 25);
  message.writeUInt8(update.wantsReply ? 1 : 0, 33);
  return message;
}
