import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export const ROOT = join(import.meta.dirname, '..', '..');
export const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

export const PROFILES = ['direct', 'relay', 'debezium'] as const;

const words = z.array(z.string());

/** What our services say; a key that is not here is a slip, or has to be thought of by the test. */
const service = z.strictObject({
  image: z.string(),
  build: z
    .union([
      z.string().transform((context) => ({ context, args: {} })),
      z.strictObject({ context: z.string(), args: z.record(z.string(), z.string()) }),
    ])
    .optional(),
  init: z.boolean().optional(),
  profiles: z.array(z.enum(PROFILES)).min(1),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  entrypoint: words.optional(),
  command: words.default([]),
  depends_on: z
    .union([
      words.transform((names) =>
        Object.fromEntries(names.map((name) => [name, { condition: 'service_started' }])),
      ),
      z.record(
        z.string(),
        z.strictObject({
          condition: z.enum(['service_healthy', 'service_completed_successfully']),
        }),
      ),
    ])
    .default({}),
  ports: words.default([]),
  volumes: words.default([]),
  restart: z.enum(['no', 'unless-stopped']).optional(),
  healthcheck: z
    .union([
      z.strictObject({ disable: z.literal(true) }),
      z.strictObject({
        test: words,
        interval: z.string(),
        timeout: z.string(),
        retries: z.number(),
      }),
    ])
    .optional(),
  networks: z.strictObject({ default: z.strictObject({ aliases: words }) }).optional(),
});

const file = z.object({
  name: z.string(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
});

export type Service = z.output<typeof service> & { readonly name: string };
type Compose = {
  readonly services: readonly Service[];
  readonly volumes: readonly string[];
};

const VARIABLE = /\$\{(\w+):-([^}]*)\}/g;

/** The variables of the file, with what stands for each that is not given. */
export function variables(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', value = ''] of read('docker-compose.yml').matchAll(VARIABLE)) {
    if ((found.get(name) ?? value) !== value) throw new Error(`${name} has two defaults`);
    found.set(name, value);
  }
  return found;
}

/** docker-compose.yml as it is without any variable. Throws where it is not as it should be. */
export function readCompose(): Compose {
  const text = read('docker-compose.yml').replaceAll(VARIABLE, '$2');
  const foreign = /^(?! *#).*\$.*$/m.exec(text);
  if (foreign !== null) throw new Error(`not ours to interpolate: ${foreign[0]}`);
  const { services, volumes } = file.parse(parse(text, { merge: true }));
  return {
    services: Object.entries(services).map(([name, it]) => ({ ...it, name })),
    volumes: Object.keys(volumes),
  };
}

/** Our processes: what they are told are settings of Tandem. */
export const runsTandem = ({ image, entrypoint }: Service): boolean =>
  image === 'tandem' && entrypoint === undefined;
