import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { legacyTablesModule } from '../../cli/write-legacy-tables.ts';
import { listTables } from '../../cli/list-tables.ts';
import { TandemProcess, tandem, type Settings } from '../harness/tandem-process.ts';
import { freshPair, type TestDatabase } from '../harness/database.ts';
import { waitFor } from '../harness/wait-for.ts';
import { runScript } from './run-script.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

type Block = { readonly kind: string; readonly code: string; readonly line: number };

test('who follows the guide sees what it says', { timeout: 240_000 }, async () => {
  await using pair = await freshPair();
  const { source, target } = pair;
  await source.query(read('examples/shop/legacy.sql'));
  const settings: Settings = {
    SOURCE_URL: source.connectionString,
    TARGET_URL: target.connectionString,
    TANDEM_SLOT: source.name,
    MAPPING: 'examples/shop/mapping.ts',
    HEARTBEAT_SECONDS: '1',
  };
  await using reader = new Reader(settings);
  const seen: string[] = [];
  for (const block of blocksOf(read('docs/guide.md'))) {
    const place = `docs/guide.md:${block.line}`;
    switch (block.kind) {
      case 'sh':
        for (const command of block.code.split('\n')) await reader.follow(command, place);
        break;
      case 'at the source':
        await source.query(block.code);
        break;
      case 'at the target':
        reader.printed = await rowsAsText(target, block.code);
        break;
      case 'prints':
        expect(reader.printed, place).toMatch(asPattern(block.code));
        break;
    }
    seen.push(block.kind);
  }
  expect(new Set(seen)).toEqual(new Set(['sh', 'at the source', 'at the target', 'prints']));
});

test('the two servers of the example have the legacy shop and nothing, and end with Ctrl-C', async () => {
  const args = ['--import', 'tsx', 'examples/shop/servers.ts'];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    const isUp = async () => /^export MAPPING=.*\n/m.test(output);
    await waitFor(isUp, { timeoutMs: 40_000, what: 'the servers of the example to be up' });
    const [source = '', target = ''] = ['SOURCE', 'TARGET'].map(
      (side) => new RegExp(`^export ${side}_URL=(.*)$`, 'm').exec(output)?.[1],
    );
    expect(await tablesAt(source)).toBe(8);
    expect(await tablesAt(target)).toBe(0);
  } finally {
    child.kill('SIGINT');
  }
  expect(await ended).toEqual([0, null]);
});

test('the declarations of the shop are what `tandem init` writes', async () => {
  await using pair = await freshPair();
  await pair.source.query(read('examples/shop/legacy.sql'));
  const tables = await listTables(await pair.source.client());
  expect(read('examples/shop/legacy.ts')).toBe(legacyTablesModule(tables, '../../core'));
});

test('the mapping of the shop has less than 150 lines, blank ones and the declarations aside', () => {
  const files = ['catalogue', 'customers', 'mapping', 'orders', 'values'];
  const lines = files.flatMap((file) => read(`examples/shop/${file}.ts`).split('\n'));
  expect(lines.filter((line) => line.trim() !== '').length).toBeLessThan(150);
});

test('the example of a test passes', async () => {
  await import('../../examples/shop/orders.example.ts');
});

/** Somebody who types what the guide says; one `tandem run` at a time goes on beside. */
class Reader implements AsyncDisposable {
  readonly #settings: Settings;
  #running: TandemProcess | null = null;
  /** By the newest command or query. */
  printed = '';

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async follow(command: string, place: string): Promise<void> {
    const [npx, program, ...args] = command.split(' ');
    // What gets the reader two databases is not needed here: it has a test of its own.
    if (command === 'npm ci' || command === 'npx tsx examples/shop/servers.ts') return;
    if (npx !== 'npx') throw new Error(`${place}: ${command} is no command that this test knows`);
    if (program === 'tsx') {
      await runScript(args, this.#settings);
      return;
    }
    if (args[0] === 'run') {
      await this.#stop();
      this.#running = new TandemProcess(args, this.#settings);
      return;
    }
    const { code, output } = await tandem(args, this.#settings);
    const log = this.#running?.output ?? '';
    expect({ code, output, log }, `${place}: ${command}`).toMatchObject({ code: 0 });
    this.printed = output;
  }

  async #stop(): Promise<void> {
    if (this.#running !== null) expect(await this.#running.stop()).toBe(0);
    this.#running = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.stop('SIGKILL');
  }
}

/** The blocks that are followed, in their order: commands, and what a comment above says of others. */
function blocksOf(page: string): Block[] {
  const found = page.matchAll(/^(?:<!-- ([^>]+) -->\n\n)?```(\w+)\n([^]*?)^```/gm);
  return [...found].flatMap(({ 1: comment, 2: language, 3: code = '', index }) => {
    const kind = comment ?? (language === 'sh' ? 'sh' : 'shown');
    if (kind === 'shown' || kind.startsWith('quote ')) return [];
    return [{ kind, code: code.trim(), line: page.slice(0, index).split('\n').length }];
  });
}

/** What is printed may have anything where the guide has `…`. */
function asPattern(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(parts.join('[^]*?'));
}

async function rowsAsText(database: TestDatabase, sql: string): Promise<string> {
  const rows = await database.query(sql);
  return rows.map((row) => Object.values(row).map(String).join(' | ')).join('\n');
}

async function tablesAt(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const sql = `select count(*)::int as tables from pg_tables where schemaname = 'public'`;
    const { rows } = await client.query<{ tables: number }>(sql);
    return rows[0]?.tables ?? -1;
  } finally {
    await client.end();
  }
}
