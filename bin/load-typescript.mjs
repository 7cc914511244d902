import module from 'node:module';
import { initialize, resolve } from './typescript-hooks.mjs';

/**
 * From here on TypeScript can be imported: tsx translates it. It costs 0.2 s and 40 MB, so it is done
 * for who needs it. `engine` is the folder that the engine runs from, null if that is its sources.
 */
export async function loadTypeScript(engine) {
  const { register } = await import('tsx/esm/api');
  register();
  const data =
    engine === null ? null : { sources: new URL('../', import.meta.url).href, built: engine.href };
  // Hooks that come later are asked first. Newer versions of Node have them in this thread.
  if (typeof module.registerHooks === 'function') {
    initialize(data);
    module.registerHooks({ resolve });
  } else module.register('./typescript-hooks.mjs', import.meta.url, { data });
}
