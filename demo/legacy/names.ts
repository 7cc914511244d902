import type { Random } from './random.ts';

export type Language = 'en' | 'ja' | 'th';
export type PersonName = { readonly first: string; readonly last: string };

const ENGLISH_FIRST =
  'Alba Ansel Bram Bryony Corin Cleo Delia Dorian Edda Elio Fenn Fern Gwen Gideon Hollis Hazel Imre Isla Juno Jasper Kit Kezia Lorne Lena Maren Milo Nell Noor Orrin Odile Perla Pascoe Quill Quentin Rhea Rufus Soren Selma Tamsin Tobin Una Uri Vance Vera Willa Wren Yara Zane'.split(
    ' ',
  );
const ENGLISH_START =
  'Ash Birch Cold Dun East Fair Green Hart Iron Kirk Lang Mill North Oak Penn Red Stan Thorn Wal West'.split(
    ' ',
  );
const ENGLISH_MIDDLE = ' en er ing le a in o el ar'.split(' ');
const ENGLISH_END =
  'bourne bury by combe field ford gate ham hurst ley low mere more ridge stead ton wick wood worth'.split(
    ' ',
  );
const JAPANESE_SURNAME_START = [...'青石大小川北木清黒佐白高田竹中西野東松水南森山吉'];
const JAPANESE_SURNAME_END = [...'井内尾垣川木口倉崎沢島田谷塚野橋原本村山'];
const JAPANESE_GIVEN = [
  ...['葵', '悠斗', '結衣', '蓮', '陽菜', '颯太', '美咲', '大和', '凛', '湊'],
  ...['さくら', '樹', '芽依', '遥', '直樹', '千尋', '健', 'あかり', '拓海', '詩織'],
  ...['一輝', '真央', '涼介', '七海', '翔', '優奈', '誠', '紗季', '航', '美月'],
  ...['恵', '隼人', '彩', '大輔', '琴音', '亮', '奈々', '圭', '花', '智也'],
];
const THAI_FIRST = [
  ...['กานดา', 'ชลธี', 'ดวงใจ', 'ธีรเดช', 'นภา', 'ปกรณ์', 'พิมพ์', 'มาลี', 'รุ่งโรจน์', 'วารี'],
  ...['ศิริ', 'สายฝน', 'อรุณ', 'เมฆา', 'ไพลิน'],
];
const THAI_START = ['จันทร์', 'ทอง', 'ธาร', 'บุญ', 'ฟ้า', 'ภู', 'ศรี', 'สุข', 'แสง'];
const THAI_END = ['งาม', 'ชัย', 'ดี', 'ทิพย์', 'ประเสริฐ', 'รุ่งเรือง', 'วงศ์', 'สกุล', 'สว่าง'];

/** A person who does not exist. */
export function personName(random: Random, language: Language): PersonName {
  switch (language) {
    case 'en':
      return {
        first: random.pick(ENGLISH_FIRST),
        last: random.pick(ENGLISH_START) + random.pick(ENGLISH_MIDDLE) + random.pick(ENGLISH_END),
      };
    case 'ja':
      return {
        first: random.pick(JAPANESE_GIVEN),
        last: random.pick(JAPANESE_SURNAME_START) + random.pick(JAPANESE_SURNAME_END),
      };
    case 'th':
      return {
        first: random.pick(THAI_FIRST),
        last: random.pick(THAI_START) + random.pick(THAI_START) + random.pick(THAI_END),
      };
  }
}

/** T05: names that are empty or hard on quoting, ordering and normalisation. */
export const ODD_NAMES: readonly PersonName[] = [
  { first: '', last: '' },
  { first: '', last: 'Hartmere' },
  { first: "Una 'Bee'", last: "O'Dunley" },
  { first: 'Kit "Ace"', last: 'Birchton, Jr.' },
  { first: 'Zoe\u0308', last: 'Nu\u0303nwick' }, // combining marks, not precomposed letters
  { first: 'Back\\slash', last: 'Tab\there' },
  { first: '结衣', last: '髙﨑' },
  { first: '  Willa ', last: ' Fairlow' },
];
