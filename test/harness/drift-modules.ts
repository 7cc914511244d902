import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder with one module for each mapping of `drift-mapping.ts`, as `MAPPING` names it. */
export function driftModules(): Disposable & { readonly file: (name: string) => string } {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-drift-'));
  return {
    file(name) {
      const path = join(folder, `${name.toLowerCase()}.ts`);
      const from = join(import.meta.dirname, 'drift-mapping.ts');
      writeFileSync(path, `import { ${name} } from '${from}';\nexport default ${name};\n`);
      return path;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
