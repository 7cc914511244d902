import type { Random } from '../random.ts';

/** Ids that the traffic may choose from; adding, removing and choosing take constant time. */
export class IdPool {
  readonly #ids: number[] = [];
  readonly #places = new Map<number, number>();

  constructor(ids: Iterable<number> = []) {
    for (const id of ids) this.add(id);
  }

  get size(): number {
    return this.#ids.length;
  }

  add(id: number): void {
    if (this.#places.has(id)) return;
    this.#places.set(id, this.#ids.length);
    this.#ids.push(id);
  }

  remove(id: number): void {
    const place = this.#places.get(id);
    const last = this.#ids.at(-1);
    if (place === undefined || last === undefined) return;
    this.#ids[place] = last;
    this.#places.set(last, place);
    this.#ids.pop();
    this.#places.delete(id);
  }

  /** @returns undefined when there is nothing to choose from */
  pick(random: Random): number | undefined {
    return this.#ids[random.int(0, this.#ids.length - 1)];
  }

  take(random: Random): number | undefined {
    const id = this.pick(random);
    if (id !== undefined) this.remove(id);
    return id;
  }
}
