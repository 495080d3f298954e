import { changedTags, MAX_TAGS } from '../../../core/annotations.ts';
import type { AnnotationChange } from '../../../core/annotations.ts';
import { InvalidRequestError, NotFoundError } from '../../../core/errors.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';

interface TaggedRow {
  readonly tags: string[];
}

/** A change of a sweep. Fields that are null, and empty lists, leave things as they are. */
export interface SweepChange extends AnnotationChange {
  readonly displayName: string | null;
  readonly priority: number | null;
  /** 0: no bound. */
  readonly maxParallelSlots: number | null;
}

/**
 * Changes the name, notes, tags and scheduling of a sweep, in any state. Repeating a change has no effect. Slots that wait for a task
 * are notified of a new priority or bound by a trigger.
 *
 * @throws NotFoundError; InvalidRequestError for too many tags.
 */
export async function updateSweep(store: Store, sweepId: string, change: SweepChange): Promise<void> {
  await inTransaction(
    store,
    async (tx) => {
      const { rows } = await tx.query<TaggedRow>('SELECT tags FROM sweeps WHERE sweep_id = $1 FOR NO KEY UPDATE', [
        sweepId,
      ]);
      if (rows[0] === undefined) throw new NotFoundError('sweep', sweepId);
      await tx.query(
        `UPDATE sweeps SET display_name = coalesce($2, display_name), notes = coalesce($3, notes), tags = $4,
              priority = coalesce($5, priority),
              max_parallel_slots = CASE WHEN $6::int IS NULL THEN max_parallel_slots ELSE nullif($6::int, 0) END
        WHERE sweep_id = $1`,
        [
          sweepId,
          change.displayName,
          change.notes,
          tagsAfter(rows[0].tags, change),
          change.priority,
          change.maxParallelSlots,
        ],
      );
      tx.mirror(sweepId, { kind: 'SWEEP' });
    },
    'steer',
  );
}

/**
 * Changes the notes and tags of a run, in any state. Repeating a change has no effect.
 *
 * @throws NotFoundError; InvalidRequestError for too many tags.
 */
export async function annotateRun(store: Store, runId: string, change: AnnotationChange): Promise<void> {
  await inTransaction(store, async (tx) => {
    const { rows } = await tx.query<TaggedRow & { readonly sweep_id: string }>(
      'SELECT sweep_id, tags FROM runs WHERE run_id = $1 FOR NO KEY UPDATE',
      [runId],
    );
    const run = rows[0];
    if (run === undefined) throw new NotFoundError('run', runId);
    await tx.query('UPDATE runs SET notes = coalesce($2, notes), tags = $3 WHERE run_id = $1', [
      runId,
      change.notes,
      tagsAfter(run.tags, change),
    ]);
    tx.mirror(run.sweep_id, { kind: 'RUN', runId });
  });
}

function tagsAfter(tags: readonly string[], change: AnnotationChange): readonly string[] {
  const changed = changedTags(tags, change);
  if (changed.length <= MAX_TAGS) return changed;
  const description = `must leave at most ${MAX_TAGS} tags; there would be ${changed.length}. Remove some first.`;
  throw new InvalidRequestError([{ field: 'add_tags', description }]);
}
