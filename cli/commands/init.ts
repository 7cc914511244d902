import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { EXIT, type Command, type Context } from '../command.ts';
import type { SettingName } from '../config.ts';
import { configError } from '../read-settings.ts';
import { ROOT } from '../root.ts';
import { envTemplate } from '../write-env.ts';

const TABLES_FILE = join('mapping', 'legacy.ts');

/** `tandem init`: writes what is not there yet, and overwrites nothing. */
export const init: Command = {
  options: [],
  details:
    'Writes .env (every setting, commented) and, for a source that it can reach,\n' +
    'mapping/legacy.ts with its tables. A file that exists is left as it is.',

  async run(context) {
    const reading = context.reading();
    if (reading.settings === null) throw configError(reading.problems);
    writeEnv(context);
    const isGiven = reading.given.has('SOURCE_URL') || reading.given.has('LEGACY_DB_HOST');
    if (isGiven) await writeTables(context);
    else {
      context.out.line(
        `no source is given yet: with SOURCE_URL or --source, init also writes ${TABLES_FILE}`,
      );
    }
    context.out.line('next: fill in .env, then run `tandem check`');
    return EXIT.ok;
  },
};

/** What came by the command line goes into the file; the environment will be there next time. */
function writeEnv(context: Context): void {
  const values = new Map<SettingName, string>();
  for (const [name, { text, origin }] of context.reading().given) {
    if (origin.kind === 'flag') values.set(name, text);
  }
  writeOnce(context, '.env', envTemplate(values));
}

async function writeTables(context: Context): Promise<void> {
  const { sourceOf, settleTls } = await import('../build-config.ts');
  const { openClient } = await import('../../connectors/postgres/connection.ts');
  const { listTables } = await import('../list-tables.ts');
  const { legacyTablesModule } = await import('../write-legacy-tables.ts');
  const reading = context.reading();
  if (reading.settings === null) throw configError(reading.problems);
  const { database, mode, problems } = sourceOf(reading, reading.settings, context.workFolder);
  if (database === null || problems.length > 0) throw configError(problems);

  const client = await openClient(await settleTls(database, mode), 'init');
  try {
    const tables = await listTables(client);
    const place = resolve(context.workFolder, TABLES_FILE);
    writeOnce(context, TABLES_FILE, legacyTablesModule(tables, corePlace(dirname(place))));
    context.out.line(`the source has ${tables.length} tables`);
  } finally {
    await client.end();
  }
}

/** Inside a checkout a relative path, elsewhere the package. */
function corePlace(folder: string): string {
  const isOutside = !`${folder}${sep}`.startsWith(ROOT + sep);
  if (isOutside || folder.includes('node_modules')) return 'tandem/core';
  return relative(folder, join(ROOT, 'core')).replaceAll(sep, '/');
}

/** Creates the file, readable by its owner alone, or leaves the one that is there. */
function writeOnce(context: Context, file: string, content: string): void {
  const path = resolve(context.workFolder, file);
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    context.out.line(`wrote ${file}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    context.out.line(`kept  ${file}: it exists already`);
  }
}
