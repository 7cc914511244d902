import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Mapping } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import { ROOT } from './root.ts';

export type LoadedMapping = {
  readonly mapping: Mapping;
  readonly file: string;
  /** Where the target's migrations are, or null. */
  readonly migrationsFolder: string | null;
  /** The SQL file with views over the control tables, or null. */
  readonly controlViewsFile: string | null;
};

/** Imports the module of a URL, TypeScript too. */
export type ImportModule = (url: string) => Promise<unknown>;

type Place = {
  /** The module, seen from the working folder; null is the mapping that Tandem brings. */
  readonly file: string | null;
  /** The folder of the migrations, if it is not the one that the mapping names. */
  readonly migrations: string | null;
  readonly workFolder: string;
  readonly importMapping: ImportModule;
};

/** @throws TandemError `MAPPING_INVALID` with the file and what is wrong with it */
export async function loadMapping(place: Place): Promise<LoadedMapping> {
  const { file, migrations, workFolder } = place;
  const path = file === null ? join(ROOT, 'transforms', 'mapping.ts') : resolve(workFolder, file);
  if (!existsSync(path)) throw invalid(path, 'there is no such file');
  if (!statSync(path).isFile()) throw invalid(path, 'is not a file');
  const module = await importModule(place, path);
  const mapping = mappingOf(module, path);
  const fromMapping =
    mapping.migrations === null ? null : resolve(dirname(path), mapping.migrations);
  return {
    mapping,
    file: path,
    migrationsFolder: migrations === null ? fromMapping : resolve(workFolder, migrations),
    controlViewsFile: viewsFile(mapping, path),
  };
}

function viewsFile({ controlViews }: Mapping, path: string): string | null {
  if (controlViews === undefined) return null;
  const file = resolve(dirname(path), controlViews);
  if (!existsSync(file)) throw invalid(path, `controlViews: there is no file ${file}`);
  return file;
}

async function importModule({ file, importMapping }: Place, path: string): Promise<unknown> {
  try {
    return file === null
      ? await import('../transforms/mapping.ts')
      : await importMapping(pathToFileURL(path).href);
  } catch (error) {
    if (error instanceof TandemError && error.code === 'MAPPING_INVALID') throw error;
    throw invalid(path, whatWentWrong(error), error);
  }
}

/** A syntax error (esbuild's has several lines), a missing import, or what the module threw. */
function whatWentWrong(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const syntax = /^(.+:\d+:\d+): ERROR: (.+)$/m.exec(error.message);
  if (syntax !== null) return `does not parse: ${syntax[2]} at ${syntax[1]}`;
  const code = (error as NodeJS.ErrnoException).code;
  const message = error.message.split('\n')[0] ?? '';
  if (code === 'ERR_MODULE_NOT_FOUND') return `an import is missing: ${message}`;
  if (error instanceof SyntaxError) return `does not load: ${message}`;
  const place = /((?:file:\/\/)?\/[^\s()]+\.[cm]?[tj]s:\d+)/.exec(
    error.stack?.split('\n').find((line) => /^\s+at /.test(line)) ?? '',
  )?.[1];
  const at = place === undefined ? '' : ` at ${place.replace('file://', '')}`;
  return `threw ${error.name}: ${message}${at}`;
}

function mappingOf(module: unknown, path: string): Mapping {
  const found = isRecord(module) ? module['default'] : undefined;
  if (found === undefined) {
    throw invalid(path, 'has no default export; end it with `export default mapping`');
  }
  if (!isRecord(found)) throw invalid(path, 'its default export is not a Mapping');
  if (typeof found['name'] !== 'string') throw wrongPart(path, 'name', 'a text');
  const { migrations } = found;
  if (migrations !== null && typeof migrations !== 'string') {
    throw wrongPart(path, 'migrations', 'a folder, or null where there is none');
  }
  const { controlViews } = found;
  if (controlViews !== undefined && typeof controlViews !== 'string') {
    throw wrongPart(path, 'controlViews', 'a SQL file, or left out');
  }
  const { entities } = found;
  if (!Array.isArray(entities)) throw wrongPart(path, 'entities', 'a list of entities');
  if (entities.length === 0) throw invalid(path, 'the mapping has no entities');
  entities.forEach((entity: unknown, i) => {
    if (!isEntity(entity)) {
      throw invalid(path, `entities[${i}] was not made by entity() or journal()`);
    }
  });
  return found as Mapping;
}

function isEntity(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    typeof value['map'] === 'function' &&
    isRecord(value['shape']) &&
    Array.isArray(value['targets'])
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function wrongPart(file: string, part: string, wanted: string): TandemError {
  return invalid(file, `\`${part}\` of the mapping must be ${wanted}`);
}

function invalid(file: string, problem: string, cause?: unknown): TandemError {
  return new TandemError('MAPPING_INVALID', { file, problem }, cause);
}
