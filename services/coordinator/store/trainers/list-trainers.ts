import type { Stage } from '../../../core/task.ts';
import type { Page } from '../page.ts';
import type { TrainerRecord } from '../../../core/records/trainer.ts';
import type { Store } from '../store.ts';

export interface TrainerKey {
  readonly trainerId: string;
}

/** Lists trainers by identity, with the current tasks of their slots. */
export async function listTrainers(
  store: Store,
  after: TrainerKey | null,
  limit: number,
): Promise<Page<TrainerRecord, TrainerKey>> {
  const rows = await store.prisma.trainer.findMany({
    where: after === null ? {} : { trainerId: { gt: after.trainerId } },
    orderBy: { trainerId: 'asc' },
    take: limit + 1,
    include: { slots: { orderBy: { slotIndex: 'asc' } } },
  });
  const shown = rows.slice(0, limit);
  const busy = await readBusySlots(
    store,
    shown.map(({ trainerId }) => trainerId),
  );
  const items = shown.map((row) => ({
    trainerId: row.trainerId,
    hostname: row.hostname,
    version: row.version,
    engineVersion: row.engineVersion,
    state: shownState(row),
    heartbeatTime: row.heartbeatTime,
    refusalCount: row.refusalCount,
    drainReason: row.drainReason,
    slots: row.slots.map((slot) => ({
      slotIndex: slot.slotIndex,
      deviceKind: slot.deviceKind,
      deviceName: slot.deviceName,
      memoryBytes: Number(slot.memoryBytes),
      threadCount: slot.threadCount,
      taskId: busy.get(`${row.trainerId}/${slot.slotIndex}`)?.taskId ?? null,
      stage: busy.get(`${row.trainerId}/${slot.slotIndex}`)?.stage ?? null,
      benchReason: slot.benchReason === '' ? null : slot.benchReason,
    })),
  }));
  const last = shown.at(-1);
  return { items, next: rows.length > limit && last ? { trainerId: last.trainerId } : null };
}

/** Returns BENCHED for a READY trainer whose slots are all benched; LOST and DRAINING take precedence. */
function shownState(row: {
  readonly state: string;
  readonly slots: readonly { readonly benchReason: string }[];
}): TrainerRecord['state'] {
  const isBenched = row.slots.length > 0 && row.slots.every(({ benchReason }) => benchReason !== '');
  return row.state === 'READY' && isBenched ? 'BENCHED' : (row.state as TrainerRecord['state']);
}

async function readBusySlots(
  store: Store,
  trainerIds: readonly string[],
): Promise<Map<string, { readonly taskId: string; readonly stage: Stage }>> {
  const tasks = await store.prisma.task.findMany({
    where: { trainerId: { in: [...trainerIds] }, state: { in: ['LEASED', 'RUNNING'] } },
    select: { taskId: true, stage: true, trainerId: true, slotIndex: true },
  });
  return new Map(
    tasks.map((task) => [
      `${task.trainerId ?? ''}/${task.slotIndex ?? 0}`,
      { taskId: task.taskId, stage: task.stage as Stage },
    ]),
  );
}
