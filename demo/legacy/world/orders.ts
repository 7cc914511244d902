import { DAY_MS, NOW } from '../moment.ts';
import { spread } from '../load/spread.ts';
import type { Random } from '../random.ts';
import type { Counts } from '../scale.ts';
import { at, gappedIds } from './ids.ts';
import type { Patient } from './patients.ts';

export type Instruction = {
  readonly id: number;
  readonly patient: Patient;
  readonly submittedMs: number;
  /** Ordinal of the order within its patient. */
  readonly ordinal: number;
  readonly deleted: boolean;
  readonly upperJawId: number | null;
  readonly lowerJawId: number | null;
};

export type Orders = {
  readonly instructions: readonly Instruction[];
  /** Referenced and unreferenced ones, ascending. */
  readonly jawIds: readonly number[];
};

type Draft = { readonly patient: Patient; readonly submittedMs: number };
type Jaws = Pick<Instruction, 'upperJawId' | 'lowerJawId'>;
type PlantedJaws = 'none' | 'one' | 'same in both' | 'jaw of the order before';

function drafts(random: Random, count: number, patients: readonly Patient[]): Draft[] {
  const all: Draft[] = [];
  const add = (patient: Patient, after: number) => {
    const room = Math.max(DAY_MS, Math.min(NOW - patient.joinedMs, 4 * 365 * DAY_MS));
    const submittedMs = patient.joinedMs + Math.floor(after * room);
    all.push({ patient, submittedMs: Math.min(submittedMs, NOW) });
  };
  for (const patient of patients) {
    if (all.length < count && !random.chance(0.05)) add(patient, random.next() * 0.02);
  }
  while (all.length < count) {
    const patient = at(patients, Math.floor(random.next() ** 1.3 * patients.length));
    add(patient, random.next());
  }
  return all.sort((a, b) => a.submittedMs - b.submittedMs);
}

class JawShelf {
  readonly ids: number[] = [];
  readonly #random: Random;
  #next = 7;

  constructor(random: Random) {
    this.#random = random;
  }

  take(): number {
    const id = this.#next;
    this.ids.push(id);
    this.#next += this.#random.chance(0.01) ? 3 : 1;
    return id;
  }

  /** T38 and T39. */
  jawsOf(planted: PlantedJaws | undefined, before: Instruction | undefined): Jaws {
    switch (planted) {
      case 'none':
        return { upperJawId: null, lowerJawId: null };
      case 'one':
        return { upperJawId: this.take(), lowerJawId: null };
      case 'same in both': {
        const jaw = this.take();
        return { upperJawId: jaw, lowerJawId: jaw };
      }
      case 'jaw of the order before':
        return { upperJawId: before?.upperJawId ?? this.take(), lowerJawId: this.take() };
      case undefined:
        return this.#ordinary();
    }
  }

  #ordinary(): Jaws {
    if (this.#random.chance(0.017)) this.take(); // a jaw that no instruction names
    const kind = this.#random.next();
    if (kind < 0.02) return { upperJawId: null, lowerJawId: null };
    const upper = kind < 0.885;
    const lower = kind >= 0.155;
    return {
      upperJawId: upper ? this.take() : null,
      lowerJawId: lower ? this.take() : null,
    };
  }
}

export function buildOrders(root: Random, counts: Counts, patients: readonly Patient[]): Orders {
  const random = root.fork('orders');
  const count = counts.dispatch_instruction;
  const shelf = new JawShelf(random.fork('jaws'));
  const unnamed = Math.max(2, Math.round(count / 10_000));
  for (let i = 0; i < unnamed; i += 1) shelf.take();
  const plants = spread<PlantedJaws>(
    ['none', 'one', 'same in both', 'jaw of the order before'],
    count,
  );
  const ids = gappedIds(random, { first: 2, count, gapShare: 0.02, maxGap: 2 });
  const ordinals = new Map<number, number>();
  const instructions: Instruction[] = [];
  for (const [i, draft] of drafts(random, count, patients).entries()) {
    const ordinal = (ordinals.get(draft.patient.id) ?? 0) + 1;
    ordinals.set(draft.patient.id, ordinal);
    instructions.push({
      ...draft,
      ...shelf.jawsOf(plants(i), instructions[i - 1]),
      id: at(ids, i),
      ordinal,
      deleted: i === 40 || random.chance(0.0142), // T33
    });
  }
  return { instructions, jawIds: shelf.ids };
}
