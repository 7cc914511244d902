import type { Language } from './names.ts';
import type { Random } from './random.ts';

const SENTENCES: Readonly<Record<Language, readonly string[]>> = {
  en: [
    'Please close the midline diastema first.',
    'Upper arch is crowded, lower arch is acceptable.',
    'Patient prefers lingual brackets on the upper jaw only.',
    'New scan uploaded, please replace the earlier one.',
    'Bond 5 to 5, leave the second molars out.',
    'Approved, you may proceed to manufacturing.',
    'Torque of 11 and 21 should be reduced by five degrees.',
    'Shipping was delayed because of a holiday.',
    'Extraction of 14 and 24 was discussed and accepted.',
    'Deep bite, class II on the left side.',
  ],
  ja: [
    '上顎の叢生を改善してください。',
    '正中離開の閉鎖を優先します。',
    '再スキャンのデータを送付しました。',
    '患者様は裏側矯正をご希望です。',
    'このまま製作に進めてください。',
    '下顎は次回に確認いたします。',
  ],
  th: [
    'กรุณาปิดช่องว่างระหว่างฟันหน้าก่อน',
    'ผู้ป่วยนัดครั้งต่อไปเดือนหน้า',
    'อนุมัติแผนการรักษาแล้ว',
    'ส่งไฟล์สแกนใหม่แล้ว',
  ],
};

/** English mostly, Japanese often, Thai now and then. */
export function anyLanguage(random: Random): Language {
  return random.weighted<Language>([
    [70, 'en'],
    [22, 'ja'],
    [8, 'th'],
  ]);
}

export function prose(random: Random, sentences: number): string {
  const choices = SENTENCES[anyLanguage(random)];
  const parts: string[] = [];
  for (let i = 0; i < sentences; i += 1) parts.push(random.pick(choices));
  return parts.join(' ');
}

/**
 * A text that PostgreSQL keeps out of line (TOAST): longer than a page and without repetition,
 * so that its compression gives up. Many changes of its row then come without this column (T86).
 */
export function outOfLineText(random: Random): string {
  const words: string[] = ['Imported note:'];
  const end = random.int(9_000, 24_000);
  for (let length = 0; length < end; length += 33) words.push(random.alphanumeric(32));
  return words.join(' ');
}

/** T57 and its like: what free text has been seen to hold. */
export const ODD_TEXTS: readonly string[] = [
  '',
  '   ',
  'first line\nsecond line\r\n\r\nlast line\ttabbed',
  '<p>Dear <b>doctor</b>,<br/>see &amp; confirm <a href="https://viewer.example/1">the plan</a></p>',
  '治療計画をご確認ください。よろしくお願いいたします。',
  'Great smile 😁🦷👩‍⚕️ \u{1F1EF}\u{1F1F5}',
  'quotes \' and " and \\ backslash \\n \\N \\. $$ %s {0}',
  'zero width \u200b joiner \u200d, right-to-left \u202eabc\u202c, no-break\u00a0blank',
];
