import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Tests that start servers and processes, and wait for them. */
const LONG = /\/test\/(paths|faults|kafka)\/|\/demo\.test\.ts$/;

/**
 * Files that take long begin first, so that no worker is left with one when the others are done. How
 * long they took is known on a machine that has run them; elsewhere the folder tells.
 */
export class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
