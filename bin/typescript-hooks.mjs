import { existsSync } from 'node:fs';

/** URLs of the folders of the engine's sources and of what runs, or null if that is the sources. */
let engine = null;

export function initialize(folders) {
  engine = folders;
}

/**
 * TypeScript is read as an ES module wherever it lies: by Node's rule a mapping in a folder whose
 * package.json says nothing would be CommonJS, and could not import the core of Tandem. And that core
 * is the one that runs: loaded a second time, its classes would be others.
 */
export function resolve(specifier, context, nextResolve) {
  const resolved = nextResolve(specifier, context);
  return typeof resolved.then === 'function' ? resolved.then(asModule) : asModule(resolved);
}

function asModule(resolved) {
  if (!/\.ts(\?|$)/.test(resolved.url)) return resolved;
  return { ...resolved, url: whatRuns(resolved.url), format: 'module' };
}

function whatRuns(url) {
  if (engine === null || !url.startsWith(engine.sources)) return url;
  const file = url.slice(engine.sources.length).replace(/\.ts(\?.*)?$/, '.js');
  const built = new URL(file, engine.built);
  return existsSync(built) ? built.href : url;
}
