import type { Store } from '../store.ts';

/** Slots of trainers that take work; at least 1. */
export async function countSlots(store: Store): Promise<number> {
  const count = await store.prisma.slot.count({ where: { trainer: { state: 'READY' } } });
  return Math.max(1, count);
}
