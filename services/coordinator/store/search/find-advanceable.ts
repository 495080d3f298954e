import { LIVE_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';
import type { Store } from '../store.ts';

/**
 * Finds sweeps whose search may go further though no task of theirs has ended: runs wait at rungs and slots have come, or a bound may be
 * reached. Settling them decides; it changes nothing where there is nothing to do.
 */
export async function findAdvanceableSweeps(store: Store, limit: number): Promise<string[]> {
  const { rows } = await store.pool.query<{ sweep_id: string }>(
    `SELECT s.sweep_id
       FROM sweeps s JOIN searches q ON q.sweep_id = s.sweep_id
      WHERE s.state = 'ACTIVE' AND q.end_reason IS NULL
        AND (s.budget IS NOT NULL
          OR EXISTS (SELECT 1 FROM runs r WHERE r.sweep_id = s.sweep_id AND r.state = 'PAUSED' AND r.paused_rung IS NOT NULL)
             AND (SELECT count(*) FROM tasks t
                   WHERE t.sweep_id = s.sweep_id AND t.state IN ${LIVE_TASKS} AND t.stage IN ${TRAINED_STAGE_LIST})
                 < (SELECT greatest(count(*), 1) FROM slots k JOIN trainers n ON n.trainer_id = k.trainer_id
                     WHERE n.state = 'READY' AND k.bench_reason = ''))
      LIMIT $1`,
    [limit],
  );
  return rows.map(({ sweep_id }) => sweep_id);
}
