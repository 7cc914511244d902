import { mergeConfig } from 'vitest/config';
import usual from '../../vitest.config.ts';

/** `npm run test:soak`: no part of `npm test`. */
export default mergeConfig(
  { ...usual, test: { ...usual.test, include: [] } },
  { test: { include: ['test/faults/soak.ts'], testTimeout: 0, disableConsoleIntercept: true } },
);
