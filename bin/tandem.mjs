#!/usr/bin/env node
// Tandem is TypeScript all the way: tsx loads it, and with it a mapping that a user wrote.
import module from 'node:module';
import { register } from 'tsx/esm/api';
import { resolve } from './module-format.mjs';

register();
// Hooks that come later are asked first. Newer versions of Node have them in this thread.
if (typeof module.registerHooks === 'function') module.registerHooks({ resolve });
else module.register('./module-format.mjs', import.meta.url);

const { main } = await import('../cli/main.ts');
process.exitCode = await main(process.argv.slice(2));
