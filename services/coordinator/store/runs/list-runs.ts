import { NotFoundError } from '../../../core/errors.ts';
import type { AttemptState } from '../../../core/states/attempt-state.ts';
import type { ErrorClass, Stage } from '../../../core/task.ts';
import type { AttemptRecord } from '../../../core/records/attempt.ts';
import type { Page } from '../page.ts';
import type { RunRecord } from '../../../core/records/run.ts';
import type { Store } from '../store.ts';
import { RUN_COLUMNS, toRun } from './run-row.ts';
import type { RunRow } from './run-row.ts';

export interface RunKey {
  readonly runIndex: number;
}

/** Lists the runs of a sweep by number. */
export async function listRuns(
  store: Store,
  sweepId: string,
  after: RunKey | null,
  limit: number,
): Promise<Page<RunRecord, RunKey>> {
  const { rows } = await store.pool.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id
      WHERE r.sweep_id = $1 AND r.run_index > $2 ORDER BY r.run_index LIMIT $3`,
    [sweepId, after?.runIndex ?? -1, limit + 1],
  );
  const items = rows.slice(0, limit).map(toRun);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last ? { runIndex: last.runIndex } : null };
}

/** Returns a run. @throws NotFoundError */
export async function findRun(store: Store, runId: string): Promise<RunRecord> {
  const { rows } = await store.pool.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id WHERE r.run_id = $1`,
    [runId],
  );
  if (!rows[0]) throw new NotFoundError('run', runId);
  return toRun(rows[0]);
}

/** Most attempts of one answer. Each may have an error of several KiB. */
const MAX_ATTEMPTS = 200;

/** Lists the latest attempts of a run, oldest first. */
export async function listAttempts(store: Store, runId: string): Promise<AttemptRecord[]> {
  const attempts = await store.prisma.attempt.findMany({
    where: { task: { taskRuns: { some: { runId } } } },
    include: { task: { select: { stage: true } } },
    orderBy: [{ createTime: 'desc' }, { leaseEpoch: 'desc' }],
    take: MAX_ATTEMPTS,
  });
  return attempts.reverse().map((attempt) => ({
    taskId: attempt.taskId,
    stage: attempt.task.stage as Stage,
    leaseEpoch: attempt.leaseEpoch,
    trainerId: attempt.trainerId,
    slotIndex: attempt.slotIndex,
    state: attempt.state as AttemptState,
    errorClass: (attempt.errorClass ?? '') as ErrorClass | '',
    errorCode: attempt.errorCode ?? '',
    message: attempt.message,
    microBatchDivisor: attempt.microBatchDivisor,
    startTime: attempt.createTime,
    endTime: attempt.endTime,
  }));
}
