import { planPromotions } from '../../../core/planner/plan-promotions.ts';
import type { PlannedTask } from '../../../core/planner/plan.ts';
import { describeRung, stepAfter } from '../../../core/stopping/ladder.ts';
import { claimFeatures } from '../features/claim-features.ts';
import { moveRuns } from '../move-runs.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { countTasks, insertTasks } from '../tasks/insert-tasks.ts';
import type { NewTask } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { StoredState, WaitingRun } from './read-state.ts';
import { readLostHeads, trainAgain } from './train-again.ts';

/**
 * Queues promoted runs and inserts the tasks that train them to their next rung, grouped where they share each augmented batch. Feature
 * sets are claimed for them only now. The lease epochs of a task continue those of the earlier tasks of its runs, so that a segment that
 * must start again supersedes what these have measured.
 *
 * @param runs in the order of their promotions
 */
export async function promote(
  tx: StoreTransaction,
  { sweepId, policy }: LockedSearch,
  runs: readonly { readonly run: WaitingRun; readonly rung: number; readonly reason: string }[],
  { input }: StoredState,
): Promise<void> {
  if (runs.length === 0) return;
  tx.addStep('promote');
  if (input === null) throw new Error(`Sweep ${sweepId} has runs at rungs before it was indexed.`);
  const byRun = new Map(runs.map((promoted) => [promoted.run.runId, promoted]));
  const planned = planPromotions({ ...input, runs: runs.map(({ run }) => run) });
  const fromHead = runs.filter(({ run }) => run.segment.from === 0).map(({ run }) => run.runId);
  const lost = await readLostHeads(tx, fromHead);
  const makerOf = await trainAgain(tx, sweepId, lost, 'because its checkpoint was removed,');
  const used = await readNames(tx, sweepId);
  const count = await countTasks(tx, sweepId);
  const renamed = rename(sweepId, planned, count, (runId) => {
    const promoted = byRun.get(runId);
    const name = `${sweepId}-p${promoted?.rung ?? 0}-${promoted?.run.index ?? 0}`;
    return used.has(name) ? `${name}-${count}` : name;
  });
  const claimed = await claimFeatures(tx, renamed);
  const former = await readFormer(tx, [...byRun.keys()]);
  const tasks = claimed.map((task): NewTask => {
    const first = byRun.get(task.runIds[0] ?? '')?.run;
    if (task.stage !== 'FINE_TUNE' || first === undefined) return task;
    const next = stepAfter(first.path, byRun.get(first.runId)?.rung ?? null);
    const again =
      first.segment.from < first.completedEpochs ? '; starts again, because its checkpoint was removed' : '';
    const heads = task.runIds.flatMap((runId) => lost.get(runId)?.flatMap((head) => makerOf(head) ?? []) ?? []);
    return {
      ...task,
      dependsOn: [...new Set([...task.dependsOn, ...heads])],
      description: `${task.description}${again}`,
      pauseEpoch: first.segment.to,
      rung: next?.rung ?? null,
      leaseEpoch: Math.max(0, ...task.runIds.map((runId) => former.get(runId)?.lease_epoch ?? 0)),
    };
  });
  await insertTasks(tx, sweepId, tasks);
  await keepSources(tx, tasks, former);
  for (const { run, rung, reason } of [...byRun.values()].sort((a, b) => (a.run.runId < b.run.runId ? -1 : 1))) {
    const definition = policy.ladder[rung];
    const again =
      run.segment.from < run.completedEpochs && definition !== undefined
        ? `; starts again from the head's checkpoint, because that of ${describeRung(definition)} was removed`
        : '';
    await moveRuns(tx, [run.runId], { to: 'QUEUED', from: ['PAUSED'], reason: `${reason}${again}` });
  }
}

/** Reads the names of promotions before. A run leaves a rung again if the end of the search had stopped it. */
async function readNames(tx: StoreTransaction, sweepId: string): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT task_id FROM tasks WHERE sweep_id = $1 AND stage = 'FINE_TUNE'`,
    [sweepId],
  );
  return new Set(rows.map((row) => row.task_id));
}

/** Names tasks after the rung and the run that they continue. */
function rename(
  sweepId: string,
  tasks: readonly PlannedTask[],
  count: number,
  nameOf: (runId: string) => string,
): PlannedTask[] {
  const names = new Map(
    tasks.map(({ taskId, runIds }, index) => [
      taskId,
      runIds[0] === undefined ? `${sweepId}-f${count + index}` : nameOf(runIds[0]),
    ]),
  );
  return tasks.map((task) => ({
    ...task,
    taskId: names.get(task.taskId) ?? task.taskId,
    dependsOn: task.dependsOn.map((id) => names.get(id) ?? id),
  }));
}

interface FormerTask {
  readonly run_id: string;
  readonly lease_epoch: number;
  readonly source_checkpoint_id: string | null;
}

/** Reads the latest attempt of each run's fine-tuning with the checkpoint that it started from. */
async function readFormer(tx: StoreTransaction, runIds: readonly string[]): Promise<ReadonlyMap<string, FormerTask>> {
  const { rows } = await tx.query<FormerTask>(
    `SELECT DISTINCT ON (tr.run_id) tr.run_id, t.lease_epoch, tr.source_checkpoint_id
       FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
      WHERE tr.run_id = ANY($1) AND t.stage = 'FINE_TUNE'
      ORDER BY tr.run_id, t.lease_epoch DESC`,
    [runIds],
  );
  return new Map(rows.map((row) => [row.run_id, row]));
}

/** Lets each run continue from the head that it started from. */
async function keepSources(
  tx: StoreTransaction,
  tasks: readonly NewTask[],
  former: ReadonlyMap<string, FormerTask>,
): Promise<void> {
  const rows = tasks.flatMap(({ taskId, stage, runIds }) =>
    stage === 'FINE_TUNE'
      ? runIds.map((runId) => ({ taskId, runId, source: former.get(runId)?.source_checkpoint_id ?? null }))
      : [],
  );
  await tx.query(
    `UPDATE task_runs tr SET source_checkpoint_id = s.source
       FROM unnest($1::text[], $2::text[], $3::text[]) AS s (task_id, run_id, source)
       JOIN checkpoints c ON c.checkpoint_id = s.source AND c.state = 'STORED'
      WHERE tr.task_id = s.task_id AND tr.run_id = s.run_id`,
    [rows.map(({ taskId }) => taskId), rows.map(({ runId }) => runId), rows.map(({ source }) => source)],
  );
}
