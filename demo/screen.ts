import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';
import { formatSeconds } from '../cli/units.ts';

type Style = Parameters<typeof styleText>[0];

const WIDEST = 100;

/**
 * Where the demo writes: headings, explanations, results, and a block that is drawn again and again.
 * Without a terminal it is plain lines, and no character that controls one.
 */
export class Screen {
  readonly #stream: NodeJS.WriteStream;
  readonly isTerminal: boolean;
  readonly #hasColour: boolean;
  readonly #update: ReturnType<typeof createLogUpdate> | null;
  readonly #steps: number;
  #step = 0;
  #stepStart = 0;

  /** @param steps how many there will be */
  constructor(stream: NodeJS.WriteStream, steps: number) {
    this.#steps = steps;
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true;
    this.#hasColour = this.isTerminal && !process.env['NO_COLOR'];
    this.#update = this.isTerminal ? createLogUpdate(stream) : null;
    // `npm run demo | head` closes the pipe early: what is up still has to be taken down.
    stream.on('error', () => undefined);
  }

  get columns(): number {
    return Math.min(this.isTerminal ? (this.#stream.columns ?? 80) : WIDEST, WIDEST);
  }

  style(style: Style, text: string): string {
    return this.#hasColour ? styleText(style, text) : text;
  }

  line(text = ''): void {
    this.#stream.write(`${text === '' ? '' : `  ${text}`}\n`);
  }

  /** A new step: what happens, and why. */
  step(title: string, explanation: string): void {
    this.#step++;
    this.#stepStart = Date.now();
    const number = this.style('dim', `${this.#step}/${this.#steps}`.padStart(5));
    this.#stream.write(`\n${number}  ${this.style('bold', title)}\n`);
    this.text(explanation);
  }

  /** A paragraph, wrapped, in the background. */
  text(text: string): void {
    for (const line of wrap(text, this.columns - 4)) this.line(this.style('dim', line));
  }

  /** The command line that runs now. */
  command(args: readonly string[]): void {
    this.line(this.style('cyan', `$ tandem ${args.join(' ')}`));
  }

  warn(text: string): void {
    this.line(`${this.style('yellow', '!')} ${cut(text, this.columns - 6)}`);
  }

  /** The end of a step, and how long it took. */
  done(result = 'done'): void {
    const seconds = (Date.now() - this.#stepStart) / 1000;
    const time = seconds < 60 ? `${seconds.toFixed(1)} s` : formatSeconds(seconds);
    this.line(`${this.style('green', 'ok')}  ${result}${this.style('dim', `, ${time}`)}`);
  }

  fail(lines: readonly string[]): void {
    this.settle();
    const [first = '', ...more] = lines;
    this.#stream.write(`\n${this.style(['bold', 'red'], 'FAILED')}  ${first}\n`);
    for (const line of more) this.line(line);
  }

  /** Draws a block in place of the one before it; only on a terminal. */
  draw(lines: readonly string[]): void {
    const width = (this.#stream.columns ?? 80) - 1;
    this.#update?.(
      lines.map((line) => (line === '' ? '' : `  ${line}`).slice(0, width)).join('\n'),
    );
  }

  /** A line in place of the block. */
  last(line: string): void {
    if (!this.isTerminal) return this.line(line);
    this.draw([line]);
    this.settle();
  }

  /** Leaves the block as it is, and the cursor where it belongs. */
  settle(): void {
    this.#update?.done();
  }
}

/** Lines of whole words, none longer than `width` unless a single word is. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

export const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 1)}…`;
