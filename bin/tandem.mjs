#!/usr/bin/env node
// Tandem is TypeScript all the way: tsx loads it, and with it a mapping that a user wrote.
import { register } from 'tsx/esm/api';

register();
const { main } = await import('../cli/main.ts');
process.exitCode = await main(process.argv.slice(2));
