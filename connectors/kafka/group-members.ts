import kafkajs, { type Admin } from 'kafkajs';
import { TandemError } from '../../core/errors.ts';
import type { Observer } from '../../core/ports.ts';
import { kafkaClient, type KafkaAccess } from './client.ts';
import { withAdmin } from './with-admin.ts';

/** Who reads the topics of a stream together, as the broker sees it. */
export type ConsumerGroup = {
  readonly name: string;
  /** The broker's word: `Stable`, `Empty`, or that it is dealing partitions out. */
  readonly state: string;
  readonly members: readonly GroupMember[];
};

export type GroupMember = {
  /** Where it connects from. */
  readonly host: string;
  readonly partitions: number;
};

/** Whoever reads a share of the tables is in a group of its own, named after it. */
const isOf = (group: string, name: string) =>
  name === group ||
  (name.startsWith(`${group}-`) && /^[0-9a-f]{8}$/.test(name.slice(group.length + 1)));

/**
 * The groups of a stream that the cluster knows; those that it has forgotten, or that this user may
 * not see, are left out.
 *
 * @throws TandemError `KAFKA_UNREACHABLE`
 */
export async function readGroups(
  access: KafkaAccess,
  group: string,
  observer: Observer,
): Promise<readonly ConsumerGroup[]> {
  const kafka = kafkaClient(access, observer);
  try {
    return await withAdmin(kafka, { what: 'describe its groups' }, (admin) => look(admin, group));
  } catch (error) {
    if (error instanceof TandemError && error.code === 'KAFKA_REFUSED') return [];
    throw error;
  }
}

async function look(admin: Admin, group: string): Promise<readonly ConsumerGroup[]> {
  const { groups: known } = await admin.listGroups();
  const names = known.map(({ groupId }) => groupId).filter((name) => isOf(group, name));
  if (names.length === 0) return [];
  const { groups } = await admin.describeGroups(names.sort());
  return groups.map(({ groupId: name, state, members }) => ({
    name,
    state,
    members: members.map(({ clientHost, memberAssignment }) => ({
      host: clientHost.replace(/^\//, ''),
      partitions: countPartitions(memberAssignment),
    })),
  }));
}

/** One that is joining has none yet. */
function countPartitions(assignment: Buffer): number {
  if (assignment.length === 0) return 0;
  const decoded = kafkajs.AssignerProtocol.MemberAssignment.decode(assignment);
  const topics = Object.values(decoded?.assignment ?? {});
  return topics.reduce((sum, partitions) => sum + partitions.length, 0);
}
