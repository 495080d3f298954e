import { groupByKey } from '../../../core/group-by-key.ts';
import type { Stage } from '../../../core/task.ts';
import { lockRetention } from '../checkpoints/lock-retention.ts';
import { awaitFeatures } from '../features/await-features.ts';
import { LIVE_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';
import { countTasks, insertTasks } from '../tasks/insert-tasks.ts';
import type { NewTask } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';

/** A run that has ended, and the run that trains its head. */
export interface EndedRun {
  readonly runId: string;
  readonly headRunId: string;
}

/** A stage that a run has still to complete, with its latest task. */
export interface OpenStage {
  readonly stage: Extract<Stage, 'HEAD' | 'FINE_TUNE'>;
  readonly taskId: string;
  readonly isLive: boolean;
  /** The run itself, or the one that trains its head. */
  readonly trainedRunId: string;
}

interface StageRow {
  readonly run_id: string;
  readonly stage: OpenStage['stage'];
  readonly task_id: string;
  readonly trained_run_id: string;
  readonly is_live: boolean;
  readonly is_done: boolean;
  readonly has_best: boolean;
}

/**
 * Reads the stages that runs have still to complete, in their order. A head whose checkpoint was removed is among them, if it is needed.
 * Retention removes no checkpoint until the transaction ends.
 */
export async function readOpenStages(
  tx: StoreTransaction,
  runs: readonly EndedRun[],
): Promise<ReadonlyMap<string, readonly OpenStage[]>> {
  if (runs.length === 0) return new Map();
  await lockRetention(tx, 'shared');
  const { rows } = await tx.query<StageRow>(
    `SELECT DISTINCT ON (u.run_id, t.stage) u.run_id, t.stage, t.task_id, tr.run_id AS trained_run_id, t.state IN ${LIVE_TASKS} AS is_live,
            tr.state IN ('SUCCEEDED', 'EARLY_STOPPED') AS is_done,
            EXISTS (SELECT 1 FROM checkpoints c
                     WHERE c.run_id = tr.run_id AND c.stage = t.stage AND c.kind = 'BEST' AND c.state = 'STORED') AS has_best
       FROM unnest($1::text[], $2::text[]) AS u (run_id, head_run_id)
       JOIN task_runs tr ON tr.run_id IN (u.run_id, u.head_run_id)
       JOIN tasks t ON t.task_id = tr.task_id AND t.stage IN ${TRAINED_STAGE_LIST}
      WHERE tr.run_id = CASE t.stage WHEN 'HEAD' THEN u.head_run_id ELSE u.run_id END
      ORDER BY u.run_id, t.stage, t.create_time DESC, t.position DESC`,
    [runs.map(({ runId }) => runId), runs.map(({ headRunId }) => headRunId)],
  );
  return new Map(runs.map(({ runId }) => [runId, openOf(rows.filter((row) => row.run_id === runId))]));
}

function openOf(rows: readonly StageRow[]): OpenStage[] {
  const head = rows.find(({ stage }) => stage === 'HEAD');
  const fineTune = rows.find(({ stage }) => stage === 'FINE_TUNE');
  const open = [
    ...(head !== undefined && !(head.is_done && (head.has_best || fineTune === undefined)) ? [head] : []),
    ...(fineTune !== undefined && !fineTune.is_done ? [fineTune] : []),
  ];
  return open.map((row) => ({
    stage: row.stage,
    taskId: row.task_id,
    isLive: row.is_live,
    trainedRunId: row.trained_run_id,
  }));
}

/** Reads the heads of runs that are to be fine-tuned from them and whose checkpoints were removed. Those that are there stay so. */
export async function readLostHeads(
  tx: StoreTransaction,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, readonly OpenStage[]>> {
  if (runIds.length === 0) return new Map();
  await lockRetention(tx, 'shared');
  const { rows } = await tx.query<{ run_id: string; task_id: string; trained_run_id: string; is_live: boolean }>(
    `SELECT DISTINCT ON (r.run_id) r.run_id, t.task_id, tr.run_id AS trained_run_id, t.state IN ${LIVE_TASKS} AS is_live
       FROM runs r
       JOIN task_runs tr ON tr.run_id = coalesce(r.head_run_id, r.run_id)
       JOIN tasks t ON t.task_id = tr.task_id AND t.stage = 'HEAD'
      WHERE r.run_id = ANY($1)
        AND NOT EXISTS (SELECT 1 FROM checkpoints c
                         WHERE c.run_id = tr.run_id AND c.stage = 'HEAD' AND c.kind = 'BEST' AND c.state = 'STORED')
      ORDER BY r.run_id, t.create_time DESC, t.position DESC`,
    [runIds],
  );
  return new Map(
    rows.map((row) => [
      row.run_id,
      [{ stage: 'HEAD' as const, taskId: row.task_id, isLive: row.is_live, trainedRunId: row.trained_run_id }],
    ]),
  );
}

/**
 * Inserts a task for each open stage that no live task trains, with the feature sets and the pause of the stage's last task. Runs that this
 * trained together are trained together again. Lease epochs continue those of the stage, because they distinguish its attempts.
 *
 * @param why for people, after the stage and its runs
 * @returns the task that trains a stage of a run, also where it was live before
 */
export async function trainAgain(
  tx: StoreTransaction,
  sweepId: string,
  open: ReadonlyMap<string, readonly OpenStage[]>,
  why: string,
): Promise<(stage: OpenStage) => string | null> {
  const stages = [...open.values()].flat();
  const again = stages.filter(({ isLive }) => !isLive);
  // Heads first: fine-tunings depend on them.
  const groups = groupByKey(
    again.toSorted((a, b) => (a.stage < b.stage ? 1 : a.stage > b.stage ? -1 : 0)),
    ({ stage, taskId }) => `${stage} ${taskId}`,
  );
  const makers = new Map(stages.filter(({ isLive }) => isLive).map((one) => [keyOf(one), one.taskId]));
  const makerOf = (stage: OpenStage): string | null => makers.get(keyOf(stage)) ?? null;
  if (again.length === 0) return makerOf;
  const lasts = await readLastTasks(tx, again);
  const count = await countTasks(tx, sweepId);
  const tasks: NewTask[] = [];
  for (const members of groups.values()) {
    const [first] = members;
    if (first === undefined) continue;
    const taskId = `${sweepId}-n${count + tasks.length}`;
    const runIds = [...new Set(members.map(({ trainedRunId }) => trainedRunId))];
    for (const one of members) makers.set(keyOf(one), taskId);
    tasks.push({
      taskId,
      stage: first.stage,
      runIds,
      featureSets: lasts.get(first.taskId)?.featureSets ?? [],
      dependsOn: first.stage === 'HEAD' ? [] : headsOf(open, members, makerOf),
      description: `${first.stage} of ${runIds.length === 1 ? `run ${runIds[0] ?? ''}` : `${runIds.length} runs`}, ${why} after task ${first.taskId}`,
      pauseEpoch: lasts.get(first.taskId)?.pauseEpoch ?? null,
      rung: lasts.get(first.taskId)?.rung ?? null,
      leaseEpoch: Math.max(0, ...members.map((one) => lasts.get(one.taskId)?.leaseEpochs.get(one.trainedRunId) ?? 0)),
    });
  }
  await insertTasks(tx, sweepId, tasks);
  await awaitFeatures(
    tx,
    sweepId,
    tasks.map(({ taskId }) => taskId),
  );
  return makerOf;
}

function keyOf({ stage, trainedRunId }: OpenStage): string {
  return `${stage} ${trainedRunId}`;
}

/** Returns the tasks that train the heads of fine-tunings. */
function headsOf(
  open: ReadonlyMap<string, readonly OpenStage[]>,
  members: readonly OpenStage[],
  makerOf: (stage: OpenStage) => string | null,
): string[] {
  const heads = members.flatMap(
    ({ trainedRunId }) => open.get(trainedRunId)?.find(({ stage }) => stage === 'HEAD') ?? [],
  );
  return [...new Set(heads.flatMap((head) => makerOf(head) ?? []))];
}

interface LastTask {
  readonly featureSets: readonly { readonly key: string }[];
  readonly pauseEpoch: number | null;
  readonly rung: number | null;
  /** Highest lease epoch of the stage, by run. */
  readonly leaseEpochs: ReadonlyMap<string, number>;
}

async function readLastTasks(
  tx: StoreTransaction,
  stages: readonly OpenStage[],
): Promise<ReadonlyMap<string, LastTask>> {
  const { rows } = await tx.query<{
    task_id: string;
    run_id: string;
    pause_epoch: number | null;
    rung: number | null;
    feature_keys: string[];
    lease_epoch: number;
  }>(
    `SELECT t.task_id, u.run_id, t.pause_epoch, t.rung,
            ARRAY(SELECT f.feature_key FROM task_feature_sets f WHERE f.task_id = t.task_id ORDER BY f.feature_key) AS feature_keys,
            coalesce((SELECT max(e.lease_epoch) FROM tasks e JOIN task_runs er ON er.task_id = e.task_id
                       WHERE er.run_id = u.run_id AND e.stage = t.stage), 0) AS lease_epoch
       FROM unnest($1::text[], $2::text[]) AS u (task_id, run_id) JOIN tasks t ON t.task_id = u.task_id`,
    [stages.map(({ taskId }) => taskId), stages.map(({ trainedRunId }) => trainedRunId)],
  );
  return new Map(
    [...groupByKey(rows, (row) => row.task_id)].map(([taskId, members]) => {
      const [first] = members;
      return [
        taskId,
        {
          featureSets: (first?.feature_keys ?? []).map((key) => ({ key })),
          pauseEpoch: first?.pause_epoch ?? null,
          rung: first?.rung ?? null,
          leaseEpochs: new Map(members.map((row) => [row.run_id, row.lease_epoch])),
        },
      ];
    }),
  );
}
