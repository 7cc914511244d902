/**
 * TypeScript is read as an ES module wherever it lies. By Node's rule a mapping in a folder whose
 * package.json says nothing would be CommonJS, and could not import the core of Tandem.
 */
export function resolve(specifier, context, nextResolve) {
  const resolved = nextResolve(specifier, context);
  return typeof resolved.then === 'function' ? resolved.then(asModule) : asModule(resolved);
}

function asModule(resolved) {
  return /\.ts(\?|$)/.test(resolved.url) ? { ...resolved, format: 'module' } : resolved;
}
