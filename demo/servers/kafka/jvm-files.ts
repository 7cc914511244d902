import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** For the start of a small server on a busy machine: about a third of the time and memory. */
export const SMALL_JVM: readonly string[] = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** Settings by name, as Kafka's properties files have them. */
export type Settings = Readonly<Record<string, string>>;

/** Writes a properties file and returns its path. */
export async function writeProperties(file: string, settings: Settings): Promise<string> {
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${escaped(value)}\n`);
  await writeFile(file, lines.join(''), { mode: 0o600 });
  return file;
}

const escaped = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

const LOG_TO_CONSOLE: Settings = {
  'rootLogger.level': 'INFO',
  'rootLogger.appenderRef.console.ref': 'console',
  'appender.console.type': 'Console',
  'appender.console.name': 'console',
  'appender.console.layout.type': 'PatternLayout',
  'appender.console.layout.pattern': '%d{ISO8601} %-5p [%t] %c{1}: %m%n',
  'logger.reflections.name': 'org.reflections',
  'logger.reflections.level': 'ERROR',
};

/** The argument that makes Kafka's programs write their log to their output. */
export async function logArgument(folder: string): Promise<string> {
  const file = await writeProperties(join(folder, 'log4j2.properties'), LOG_TO_CONSOLE);
  return `-Dlog4j2.configurationFile=${file}`;
}
