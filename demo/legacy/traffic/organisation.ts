import type { Row } from '../load/row.ts';
import type { Session } from './session.ts';

export async function editOffice(session: Session): Promise<void> {
  const { random, rows, isLeader } = session;
  const id = rows.offices.pick(random);
  if (id === undefined || !isLeader) return;
  const set = random.pick<Row>([
    { name: `Renamed Clinic ${random.int(1, 99)}` },
    { phone: `(${random.int(201, 989)}) 555-01${random.int(10, 99)}`, emails: true },
    { valid: random.chance(0.6) },
    { tax_rate: random.pick(['0.0000', '9.8750', '101.0000']) },
    { country: random.pick(['USA', 'usa', 'Japan', null, 'Thailand ']) },
  ]);
  await session.transaction((tx) => tx.update('dispatch_office', id, set));
}

/** T26: saving the form deletes the links of an office and inserts the same ones again. */
export async function saveOfficeDoctors(session: Session): Promise<void> {
  const { random, rows, isLeader } = session;
  const officeId = rows.offices.pick(random);
  const newDoctor = rows.doctors.pick(random);
  if (officeId === undefined || newDoctor === undefined || !isLeader) return;
  await session.transaction(async (tx) => {
    const ids = await tx.children('dispatch_office_doctors', 'office_id', [officeId]);
    const links = await tx.read('dispatch_office_doctors', ids);
    await tx.delete('dispatch_office_doctors', ids);
    const doctors = new Set(links.map((link) => Number(link['user_id'])));
    if (doctors.size === 0) doctors.add(newDoctor);
    const saved = [...doctors].map((userId) => ({ office_id: officeId, user_id: userId }));
    await tx.insertMany('dispatch_office_doctors', saved);
  });
  session.hit('T26');
}

export async function renameCourse(session: Session): Promise<void> {
  const id = session.rows.courses.pick(session.random);
  if (id === undefined || !session.isLeader) return;
  const set = { name: `Course ${id}, edition ${session.random.int(1, 99)}` };
  await session.transaction((tx) => tx.update('dispatch_course', id, set));
}

export async function renameTemplate(session: Session): Promise<void> {
  const { random, rows, isLeader } = session;
  const id = rows.templates.pick(random);
  if (id === undefined || !isLeader) return;
  const set = random.pick<Row>([
    { task_name: `Renamed Step ${random.int(1, 99)}` },
    { action_name: null },
    { duration: random.int(0, 96) },
  ]);
  await session.transaction((tx) => tx.update('dispatch_template', id, set));
}

export async function useDiscount(session: Session): Promise<void> {
  const id = session.rows.discounts.pick(session.random);
  if (id === undefined) return;
  await session.transaction((tx) =>
    tx.updateBy('dispatch_discount', id, 'used', 'coalesce(used, 0) + 1'),
  );
}

/** T31: an offer disappears together with its discounts. */
export async function deleteOffer(session: Session): Promise<void> {
  const { random, rows, isLeader } = session;
  const productId = rows.products.pick(random);
  const id = rows.offers.take(random);
  if (id === undefined || productId === undefined || !isLeader) return;
  await session.transaction(async (tx) => {
    const discounts = await tx.children('dispatch_discount', 'offer_id', [id]);
    await tx.delete('dispatch_discount', discounts);
    for (const discount of discounts) rows.discounts.remove(discount);
    await tx.delete('dispatch_offer', [id]);
    const successor = {
      price_both: '1695.00',
      price_upper: '850.00',
      price_lower: null,
      doctor_id: rows.doctors.pick(random) ?? null,
      product_id: productId,
    };
    rows.offers.add(await tx.insert('dispatch_offer', successor));
  });
  session.hit('T31');
}
