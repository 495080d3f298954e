import { expect } from 'vitest';
import { specOf } from './harness.ts';
import type { Harness } from './harness.ts';

const PAGE = { pageSize: 100, pageToken: '' };
const TOLERANCE_MS = 10_000;

/**
 * Submits the first sweep of a database and indexes its data: raw SQL, Prisma, notifications and views are used. The trainer waits at
 * one coordinator while the sweep is submitted at the other. Times must be those of this process's clock.
 */
export async function indexesASweep(waiting: Harness, submitting: Harness = waiting): Promise<void> {
  const began = Date.now();
  const trainer = await waiting.trainer('t1');
  const leased = trainer.mustLease('INDEX');
  const sweepId = await submitting.submit(specOf());
  const task = await leased;
  expect(task.sweepId).toBe(sweepId);
  if (waiting === submitting) await trainer.work(task);
  const { sweep } = await submitting.sweeps.getSweep({ sweepId });
  for (const time of [sweep?.createTime, sweep?.startTime]) {
    expect(Math.abs((time?.getTime() ?? 0) - began)).toBeLessThan(TOLERANCE_MS);
  }
  expect((await submitting.sweeps.listSweeps(PAGE)).sweeps.map((each) => each.sweepId)).toEqual([sweepId]);
  expect((await submitting.sweeps.getLeaderboard({ sweepId, ...PAGE })).entries).toHaveLength(2);
  const [summary] = await submitting.query<{ sweep_id: string }>('SELECT sweep_id FROM sweep_summaries');
  expect(summary).toEqual({ sweep_id: sweepId });
}
