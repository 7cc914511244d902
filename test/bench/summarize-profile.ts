import { readFileSync } from 'node:fs';

/** The parts of a V8 CPU profile that are read here. */
type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

export type ProfileSummary = {
  readonly name: string;
  readonly seconds: number;
  /** Share of the time in which the process waited, mostly for PostgreSQL. */
  readonly idle: number;
  /** The functions with the most time of their own. */
  readonly top: readonly { readonly where: string; readonly share: number }[];
};

const SHOWN = 20;
const IDLE = '(idle)';

/** Where the time of a profile went, by function, without what it called. */
export function summarizeProfile(name: string, file: string): ProfileSummary {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const places = new Map(profile.nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const own = new Map<string, number>();
  let total = 0;
  profile.samples.forEach((node, i) => {
    const micros = profile.timeDeltas[i] ?? 0;
    const place = places.get(node) ?? '(unknown)';
    own.set(place, (own.get(place) ?? 0) + micros);
    total += micros;
  });
  const shares = [...own].map(([where, micros]) => ({ where, share: micros / total }));
  return {
    name,
    seconds: total / 1e6,
    idle: (own.get(IDLE) ?? 0) / total,
    top: shares
      .filter(({ where }) => where !== IDLE)
      .sort((a, b) => b.share - a.share)
      .slice(0, SHOWN),
  };
}

function placeOf({ functionName, url }: { functionName: string; url: string }): string {
  const file = url
    .replace(/^.*\/node_modules\//, '')
    .replace(/^file:\/\/.*\/(?=[^/]+\/[^/]+$)/, '');
  return file === '' ? functionName : `${functionName || '(anonymous)'} ${file}`;
}

export function formatProfile({ name, seconds, idle, top }: ProfileSummary): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`.padStart(7);
  return [
    `${name}: ${seconds.toFixed(1)} s, of which${percent(idle)} waiting`,
    ...top.map(({ where, share }) => `${percent(share)}  ${where}`),
  ].join('\n');
}
