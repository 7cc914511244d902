import type { Row, RowSource } from '../load/row.ts';
import {
  contentTypeId,
  CONTENT_TYPES,
  GROUPS,
  ROLE_COUNT,
  TECHNICIAN_ROLE_COUNT,
} from '../reference-ids.ts';
import { at } from '../world/ids.ts';
import type { World } from '../world/world.ts';

const VERBS = ['add', 'change', 'delete', 'view'];

function permissions(): Row[] {
  const rows: Row[] = [];
  for (const [label, typeId] of CONTENT_TYPES) {
    const model = label.slice(label.indexOf('.') + 1);
    for (const verb of VERBS) {
      const id = rows.length + 1;
      const codename = `${verb}_${model}`;
      rows.push({ id, name: `Can ${verb} ${model}`, content_type_id: typeId, codename });
    }
  }
  return rows;
}

/** Every `step`-th permission for each owner, about `share` of them, without repeats. */
function permissionLinks(owner: string, owners: readonly number[], perOwner: number): Row[] {
  const total = CONTENT_TYPES.size * VERBS.length;
  return owners.flatMap((ownerId, i) =>
    Array.from({ length: perOwner }, (_, j) => ({
      id: i * perOwner + j + 1,
      [owner]: ownerId,
      permission_id: ((i * 13 + j * 7) % total) + 1,
    })),
  );
}

const ROLE_FAMILIES = [
  { until: 21, name: 'Manufacturing', abbrev: 'MT', type: 4 },
  { until: 24, name: 'Designing', abbrev: 'DT', type: 3 },
  { until: 28, name: 'Sectioning', abbrev: 'ST', type: 1 },
  { until: 30, name: 'Remote', abbrev: 'RT', type: 6 },
  { until: 31, name: 'Supervisor', abbrev: 'SV', type: 2 },
  { until: 32, name: 'Quality Control', abbrev: 'QC', type: 2 },
  { until: 36, name: 'Master', abbrev: 'MA', type: 5 },
  { until: 40, name: 'Sales', abbrev: 'SA', type: 7 },
  { until: 48, name: 'Doctor', abbrev: 'DR', type: 8 },
] as const;

function roleGroup(index: number): number | null {
  if (index < TECHNICIAN_ROLE_COUNT) return GROUPS.Technician;
  if (index < 36) return GROUPS.Master;
  if (index < 40) return GROUPS.Sales;
  return index === 47 ? null : GROUPS.Doctor;
}

/** T62: most roles have no holder, and one holder is inactive. */
function roles({ people }: World): Row[] {
  return Array.from({ length: ROLE_COUNT }, (_, i) => {
    const family = ROLE_FAMILIES.find(({ until }) => i < until) ?? ROLE_FAMILIES[0];
    const holder = i % 9 === 4 ? at(people.staff, i % people.staff.length).id : null;
    return {
      id: i + 1,
      name: `${family.name} ${i + 1}`,
      abbrev: i === 46 ? null : `${family.abbrev}-${i + 1}`,
      type: i === 45 ? null : family.type,
      order: i % 11 === 10 ? null : (i * 5) % ROLE_COUNT,
      user_id: i === 12 ? at(people.staff, 2).id : holder, // staff 2 is inactive
      group_id: roleGroup(i),
    };
  });
}

export function accessTables(world: World): RowSource[] {
  const groups = Object.entries(GROUPS).map(([name, id]) => ({ id, name }));
  const types = [...CONTENT_TYPES.keys()].map((label) => {
    const [app = '', model = ''] = label.split('.');
    return { id: contentTypeId(label), app_label: app, model };
  });
  const groupIds = Object.values(GROUPS);
  const roleIds = Array.from({ length: ROLE_COUNT }, (_, i) => i + 1);
  const staffIds = world.people.staff.slice(0, 5).map((person) => person.id);
  const perUser = Math.ceil(world.counts.auth_user_user_permissions / 5);
  const source = (table: string, rows: readonly Row[]) => ({ table, rows, total: rows.length });
  return [
    source('django_content_type', types),
    source('auth_group', groups),
    source('auth_permission', permissions()),
    source('auth_group_permissions', permissionLinks('group_id', groupIds, 30)),
    source('auth_user_user_permissions', permissionLinks('user_id', staffIds, perUser)),
    source('dispatch_role', roles(world)),
    source('dispatch_role_permissions', permissionLinks('role_id', roleIds, 28)),
  ];
}
