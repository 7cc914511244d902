#!/usr/bin/env node
// Tandem is TypeScript all the way; the engine itself runs built, a mapping that a user wrote as it is.
import { builtEngine } from './built-engine.mjs';
import { loadTypeScript } from './load-typescript.mjs';

process.setSourceMapsEnabled(true);
const engine = await builtEngine();
if (engine === null) await loadTypeScript(null);
const { main } = await import(engine === null ? '../cli/main.ts' : new URL('cli/main.js', engine));
process.exitCode = await main(process.argv.slice(2), {
  async importMapping(url) {
    if (engine !== null) await loadTypeScript(engine);
    return await import(url);
  },
});
