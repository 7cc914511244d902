import type { Decoded, RawMessage } from '../../core/log-message.ts';
import { compareVersions, type Lsn, type Version } from '../../core/version.ts';

/**
 * What the messages of a partition have told last. A delete is followed by its tombstone, which says
 * nothing more then; one that stands alone has lost its delete to compaction, or was cut off from it.
 */
export class Told {
  #deleted: Buffer | null = null;
  #version: Version | null = null;

  /** Whether the message before was the delete of this key. */
  hasDeleted(key: Buffer | null): boolean {
    return key !== null && this.#deleted?.equals(key) === true;
  }

  /** Just newer than the newest change; undefined where there was none. */
  get after(): Version | undefined {
    if (this.#version === null) return undefined;
    const { commitLsn, changeLsn } = this.#version;
    return { commitLsn, changeLsn: (changeLsn + 1n) as Lsn };
  }

  note({ key }: RawMessage, decoded: Decoded): void {
    const event = decoded.kind === 'change' ? decoded.event : null;
    this.#deleted = event?.kind === 'delete' ? key : null;
    if (event === null) return;
    const isNewest = this.#version === null || compareVersions(event.version, this.#version) > 0;
    if (isNewest) this.#version = event.version;
  }
}
