import { countOf } from '../../../core/text/count-of.ts';
import { PENDING_TASKS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';

const MAX_LISTED = 5;

/** Ways in which a run of another sweep, or that sweep itself, needs a sweep. */
const NEEDS = {
  HEAD: 'trained on from its head',
  REUSED: 'took over a result of it',
  CHECKPOINT: 'starts from a checkpoint of it',
  TESTED: 'was tested with a checkpoint of it',
  FEATURES: 'waits for feature sets of it',
} as const;

interface Reference {
  readonly sweep_id: string;
  /** null: the sweep as a whole. */
  readonly run_id: string | null;
  readonly need: keyof typeof NEEDS;
  readonly source_id: string;
}

/** Returns who refers to a locked sweep, as a sentence part with the first references; null: no other sweep does. */
export async function describeReferences(tx: StoreTransaction, sweepId: string): Promise<string | null> {
  const { rows } = await tx.query<Reference>(
    `SELECT r.sweep_id, r.run_id, 'HEAD' AS need, own.run_id AS source_id
       FROM runs own JOIN runs r ON r.head_run_id = own.run_id WHERE own.sweep_id = $1 AND r.sweep_id <> $1
     UNION
     SELECT r.sweep_id, r.run_id, 'REUSED', own.run_id
       FROM runs own JOIN runs r ON r.reused_run_id = own.run_id WHERE own.sweep_id = $1 AND r.sweep_id <> $1
     UNION
     SELECT t.sweep_id, tr.run_id, 'CHECKPOINT', c.checkpoint_id
       FROM runs own JOIN checkpoints c ON c.run_id = own.run_id
       JOIN task_runs tr ON tr.source_checkpoint_id = c.checkpoint_id JOIN tasks t ON t.task_id = tr.task_id
      WHERE own.sweep_id = $1 AND t.sweep_id <> $1
     UNION
     SELECT r.sweep_id, r.run_id, 'TESTED', c.checkpoint_id
       FROM runs own JOIN checkpoints c ON c.run_id = own.run_id
       JOIN test_results e ON e.checkpoint_id = c.checkpoint_id JOIN runs r ON r.run_id = e.run_id
      WHERE own.sweep_id = $1 AND r.sweep_id <> $1
     UNION
     SELECT t.sweep_id, NULL, 'FEATURES', own.task_id
       FROM tasks own JOIN task_dependencies d ON d.depends_on_id = own.task_id JOIN tasks t ON t.task_id = d.task_id
      WHERE own.sweep_id = $1 AND own.state <> 'SUCCEEDED' AND t.sweep_id <> $1 AND t.state IN ${PENDING_TASKS}
      ORDER BY 1, 2, 3, 4`,
    [sweepId],
  );
  if (rows.length === 0) return null;
  const sweepIds = new Set(rows.map(({ sweep_id }) => sweep_id));
  const listed = rows.slice(0, MAX_LISTED).map(describe).join('; ');
  const more = rows.length > MAX_LISTED ? `; and ${rows.length - MAX_LISTED} more` : '';
  return `it is needed by ${countOf(sweepIds.size, 'other sweep')}, ${[...sweepIds].slice(0, MAX_LISTED).join(', ')}: ${listed}${more}`;
}

function describe({ sweep_id: sweepId, run_id: runId, need, source_id: sourceId }: Reference): string {
  return `${runId === null ? `sweep ${sweepId}` : `run ${runId}`} ${NEEDS[need]} (${sourceId})`;
}
