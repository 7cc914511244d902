import { ODD_JSON_TEXTS } from '../json-texts.ts';
import { DAY_MS, NOW, timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import type { Random } from '../random.ts';
import { LIVE_PRODUCT_IDS } from '../reference-ids.ts';
import { at, pickFrom } from '../world/ids.ts';
import type { World } from '../world/world.ts';

const ODD_FILES: readonly Overrides[] = [
  { name: null }, // T49
  { name: '' },
  { name: 'upper.stl', ext: '.stl' },
  { ext: null },
  { ext: '' },
  { ext: '.STL' },
  { ext: 'stl' },
  { ext: '.xyz' },
  { name: '治療計画.PDF', ext: '.pdf' },
  { name: '../../etc/passwd', ext: '.txt' },
  { size: '0' },
  { size: '5368709120' },
  { status: null, type: 99 },
  { created_at: '2016-02-29 12:00:00.000001+00' },
  { description: '' },
  ...ODD_JSON_TEXTS.map((parameters) => ({ parameters })), // T50
];

const EXTENSIONS: readonly (readonly [number, string])[] = [
  [45, '.stl'],
  [20, '.jpg'],
  [6, '.png'],
  [5, '.ply'],
  [4, '.dcm'],
  [4, '.pdf'],
  [3, '.JPG'],
  [3, '.jpeg'],
  [3, '.dxf'],
  [2, '.zip'],
  [1, '.irk'],
  [1, '.docx'],
  [1, '.txt'],
];

/** T48: half of the files know an order, 2.7% a record, a few both, the rest neither. */
function owner(random: Random, i: number, world: World): Row {
  const kind = random.next();
  const instruction = at(
    world.orders.instructions,
    Math.floor((i / world.fileIds.length) * world.orders.instructions.length),
  );
  const both = i === 50 || random.chance(0.001);
  const withRecord = both || kind > 0.973;
  return {
    instruction_id: both || kind < 0.492 ? instruction.id : null,
    record_id: withRecord ? pickFrom(random, world.recordIds) : null,
  };
}

function* fileRows(world: World): Generator<Row> {
  const random = world.random.fork('dispatch_file');
  const count = world.fileIds.length;
  const odd = spread(ODD_FILES, count);
  const firstDay = at(world.orders.instructions, 0).submittedMs;
  for (let i = 0; i < count; i += 1) {
    const ext = random.weighted(EXTENSIONS);
    const row = {
      id: at(world.fileIds, i),
      uid: random.uuid(),
      name: `${random.pick(['scan', 'photo', 'panorama', 'upper', 'lower', '顔写真'])}_${random.int(1, 9999)}${random.chance(0.05) ? ext : ''}`,
      ext,
      size: String(random.int(900, 60_000_000)),
      type: random.int(1, 17),
      ...owner(random, i, world),
      created_at: timestamp(firstDay + (i / count) * (NOW - firstDay - DAY_MS), random.int(0, 999)),
      description: random.chance(0.9) ? null : random.pick(['', 'Lateral view', '正面']),
      product_id: random.chance(0.95) ? null : random.pick(LIVE_PRODUCT_IDS),
      parameters: random.chance(0.8)
        ? null
        : random.pick(['', '{}', '{"unit": "mm", "scale": 1.0}']),
      status: random.chance(0.1) ? null : random.int(0, 3),
    };
    yield withOverrides(row, odd(i));
  }
}

export function fileTables(world: World): RowSource[] {
  return [{ table: 'dispatch_file', rows: fileRows(world), total: world.fileIds.length }];
}
