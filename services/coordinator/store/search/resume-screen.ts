import { readScreen } from '../rungs/read-candidates.ts';
import { countTasks, insertTasks } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Repeats the probes of a screen that the end of its search has cancelled.
 *
 * @returns whether the screen is still to be decided: its runs then have no tasks yet
 */
export async function resumeScreen(tx: StoreTransaction, sweepId: string): Promise<boolean> {
  const { isDecided, candidates } = await readScreen(tx, sweepId);
  if (isDecided || candidates.length === 0) return false;
  const { rows } = await tx.query<{ position: number; description: string }>(
    `SELECT p.position, t.description FROM probes p JOIN tasks t ON t.task_id = p.task_id
      WHERE p.sweep_id = $1 AND t.state = 'CANCELLED' ORDER BY p.position`,
    [sweepId],
  );
  const first = await countTasks(tx, sweepId);
  const repeated = rows.map(({ position, description }, place) => ({
    position,
    task: {
      taskId: `${sweepId}-p${first + place}x`,
      stage: 'PROBE' as const,
      runIds: [],
      featureSets: [],
      dependsOn: [],
      description,
    },
  }));
  await insertTasks(
    tx,
    sweepId,
    repeated.map(({ task }) => task),
  );
  await tx.query(
    `UPDATE probes p SET task_id = n.task_id FROM unnest($2::int[], $3::text[]) AS n (position, task_id)
      WHERE p.sweep_id = $1 AND p.position = n.position`,
    [sweepId, repeated.map(({ position }) => position), repeated.map(({ task }) => task.taskId)],
  );
  return true;
}
