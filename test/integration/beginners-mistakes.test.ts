import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import type { CheckResult } from '../../cli/check/result.ts';
import { freshPair, type TestPair } from '../harness/database.ts';
import { Workplace } from './cli-run.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SHOP = join(ROOT, 'examples', 'shop');
const GUIDE = readFileSync(join(ROOT, 'docs', 'guide.md'), 'utf8');

const LIMIT_MS = 240_000;

type Mistake = {
  readonly name: string;
  /** Which text of which file of the shop becomes what. */
  readonly edit: readonly [file: string, from: string, to: string];
  /** What the compiler says; null where it cannot know. */
  readonly compiler: RegExp | null;
  readonly check: Pick<CheckResult, 'status' | 'found' | 'mend'>;
};

/** `found` is without the place of the entity, and stands in the guide as it is here. */
const MISTAKES: readonly Mistake[] = [
  {
    name: 'a misspelt column in select',
    edit: ['customers.ts', "select('email',", "select('emial',"],
    compiler: /'"emial"' is not assignable/,
    check: {
      status: 'failure',
      found: 'selects shop_customer.emial, which its declaration lacks',
      mend: 'Did you mean email? Correct the name, or declare the column.',
    },
  },
  {
    name: 'a misspelt column in map',
    edit: ['customers.ts', 'customer.name', 'customer.nmae'],
    compiler: /Property 'nmae' does not exist/,
    check: {
      status: 'failure',
      found: 'map uses `nmae` of shop_customer, which is not read',
      mend: 'Did you mean name? Correct the name, or add the relation with .with(…).',
    },
  },
  {
    name: 'a column that was not selected',
    edit: ['orders.ts', "'shipping', 'placed_at',", "'shipping',"],
    compiler: /Property 'placed_at' does not exist/,
    check: {
      status: 'failure',
      found: 'map uses `placed_at` of shop_order, which is not read',
      mend: "Add 'placed_at' to the select of shop_order.",
    },
  },
  {
    name: 'a forgotten relation',
    edit: ['orders.ts', 'items: on.many(', 'lines: on.many('],
    compiler: /Property 'items' does not exist/,
    check: {
      status: 'failure',
      found: 'map uses `items` of shop_order, which is not read',
      mend: 'Correct the name, or add the relation with .with(…).',
    },
  },
  {
    name: 'a reference to an entity that does not exist',
    edit: ['orders.ts', "ref('customer', order.", "ref('custmer', order."],
    compiler: null,
    check: {
      status: 'failure',
      found: "no entity yields 'custmer', which orders.customer_id refers to",
      mend: "Did you mean customer? Correct the name in ref('custmer', …), add the entity, or seed its rows with tandem.uuid_of('custmer', id).",
    },
  },
  {
    name: 'a misspelt column of the target',
    edit: ['orders.ts', 'legacy_status:', 'legacy_statsu:'],
    compiler: null,
    check: {
      status: 'failure',
      found: 'writes orders.legacy_statsu, which the target does not have',
      mend: 'Did you mean legacy_status? Correct the name, or add the column with a migration.',
    },
  },
  {
    name: 'a forgotten column of the target',
    edit: ['orders.ts', '      number: order.number,\n', ''],
    compiler: null,
    check: {
      status: 'warning',
      found: 'does not write orders.number, which is not null and has no default',
      mend: 'Add it to the rows of map, or give it a default with a migration; else every row is refused, unless a trigger fills it.',
    },
  },
  {
    name: 'a legacy id in place of a reference',
    edit: ['customers.ts', "id: ref('customer', customer.id)", 'id: customer.id'],
    compiler: /'number' is not assignable to type 'Ref'/,
    check: {
      status: 'failure',
      found: 'map returns a row of customers whose id is no reference',
      mend: "Start the row with id: ref('customer', root.id).",
    },
  },
];

test('check names each mistake of a beginner, and what to do', { timeout: LIMIT_MS }, async () => {
  await using pair = await freshPair();
  using work = await shopWorkplace(pair);
  expect(await work.run('setup', '--mapping', join(SHOP, 'mapping.ts'))).toMatchObject({ code: 0 });
  for (const [i, { name, edit, check }] of MISTAKES.entries()) {
    const { found, ...advice } = check;
    const results = await mappingResults(work, brokenShop(work, `shop${i}`, edit));
    expect(results, name).toContainEqual(
      expect.objectContaining({
        ...advice,
        found: expect.stringContaining(`${found} (`) as unknown,
      }),
    );
    expect(GUIDE.replaceAll('\\|', '|'), name).toContain(found);
  }
});

test('the compiler finds the mistakes that the guide says it finds', { timeout: LIMIT_MS }, () => {
  using work = new Workplace();
  const shops = MISTAKES.map(({ edit }, i) => brokenShop(work, `shop${i}`, edit));
  const messages = compile(shops);
  for (const [i, { name, compiler }] of MISTAKES.entries()) {
    const said = messages.filter(({ file }) => file.includes(`/shop${i}/`)).map((it) => it.text);
    if (compiler === null) expect(said, name).toEqual([]);
    else expect(said.join('\n'), name).toMatch(compiler);
  }
});

test(
  'a column that a migration will add is a warning until the setup',
  { timeout: LIMIT_MS },
  async () => {
    await using pair = await freshPair();
    using work = await shopWorkplace(pair);
    expect(await work.run('setup', '--mapping', join(SHOP, 'mapping.ts'))).toMatchObject({
      code: 0,
    });
    const mapping = brokenShop(work, 'shop', ['orders.ts', 'legacy_status:', 'old_status:']);
    work.write(
      'shop/migrations/20260102000000_rename.sql',
      'alter table public.orders rename legacy_status to old_status;',
    );
    const found = expect.stringMatching(
      /writes orders\.old_status, .* a migration that is not applied yet may add it$/,
    ) as unknown;
    const before = await mappingResults(work, mapping);
    expect(before).toContainEqual(expect.objectContaining({ status: 'warning', found }));
    expect(await work.run('setup', '--mapping', mapping)).toMatchObject({ code: 0 });
    expect((await mappingResults(work, mapping)).map(({ status }) => status)).toEqual(['ok']);
  },
);

async function shopWorkplace({ source, target }: TestPair): Promise<Workplace> {
  await source.query(readFileSync(join(SHOP, 'legacy.sql'), 'utf8'));
  return new Workplace({
    SOURCE_URL: source.connectionString,
    TARGET_URL: target.connectionString,
    TANDEM_SLOT: source.name,
  });
}

/** A copy of the shop with one text changed; returns the mapping's path. */
function brokenShop(work: Workplace, folder: string, edit: Mistake['edit']): string {
  const to = join(work.folder, folder);
  cpSync(SHOP, to, { recursive: true });
  const modules = ['catalogue', 'customers', 'legacy', 'mapping', 'orders', 'values'];
  for (const name of readdirSync(to).filter((it) => modules.includes(it.replace('.ts', '')))) {
    const text = readFileSync(join(to, name), 'utf8').replaceAll("'../../core/", `'${ROOT}/core/`);
    const [file, was, becomes] = edit;
    if (name === file && !text.includes(was)) throw new Error(`${file} has no ${was}`);
    writeFileSync(join(to, name), name === file ? text.replace(was, becomes) : text);
  }
  return join(to, 'mapping.ts');
}

async function mappingResults(work: Workplace, mapping: string): Promise<readonly CheckResult[]> {
  const { out } = await work.run('check', '--json', '--mapping', mapping);
  const { checks } = JSON.parse(out) as { checks: readonly CheckResult[] };
  return checks.filter(({ subject }) => subject === 'mapping');
}

function compile(files: readonly string[]): { readonly file: string; readonly text: string }[] {
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules', '@types')],
  });
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => ({
    file: file?.fileName ?? '',
    text: ts.flattenDiagnosticMessageText(messageText, '\n'),
  }));
}
