import { asksForRounds } from '../run-sql.ts';
import { BOUNDS, IDLE_RUNS, LIVE_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';
import type { Store } from '../store.ts';

/**
 * Finds sweeps whose search may advance though no task of theirs has ended, by identity: runs wait at rungs and slots have come, a bound may
 * be reached, a round may be due that its coordinator has not stored, runs were judged with the head that they share, or runs are idle though a bound has ended the search. Settling them decides; it changes nothing where there is nothing to do.
 *
 * @param after the last one of the previous list; null: from the beginning
 */
export async function findAdvanceableSweeps(store: Store, after: string | null, limit: number): Promise<string[]> {
  const { rows } = await store.pool.query<{ sweep_id: string }>(
    `SELECT s.sweep_id
       FROM sweeps s JOIN searches q ON q.sweep_id = s.sweep_id
      WHERE s.state = 'ACTIVE' AND s.sweep_id > coalesce($1, '')
        AND CASE WHEN q.end_reason IS NULL THEN s.budget IS NOT NULL
                   OR ${asksForRounds('q')}
                      AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.sweep_id = s.sweep_id AND t.state IN ${LIVE_TASKS}
                                         AND t.stage IN ('INDEX', 'FEATURES', 'HEAD'))
                   OR EXISTS (SELECT 1 FROM runs r JOIN decisions d ON d.run_id = r.run_id AND d.kind = 'STOP'
                                JOIN rungs g ON g.sweep_id = d.sweep_id AND g.rung = d.rung AND g.stage = 'HEAD'
                               WHERE r.sweep_id = s.sweep_id AND r.state IN ${IDLE_RUNS} AND r.head_run_id IS NOT NULL)
                   OR EXISTS (SELECT 1 FROM runs r WHERE r.sweep_id = s.sweep_id AND r.state = 'PAUSED' AND r.paused_rung IS NOT NULL)
                      AND (SELECT count(*) FROM tasks t
                            WHERE t.sweep_id = s.sweep_id AND t.state IN ${LIVE_TASKS} AND t.stage IN ${TRAINED_STAGE_LIST})
                          < (SELECT greatest(1, least(count(*), s.max_parallel_slots))
                               FROM slots k JOIN trainers n ON n.trainer_id = k.trainer_id
                              WHERE n.state = 'READY' AND k.bench_reason = '')
                 ELSE q.end_reason IN ${BOUNDS}
                      AND EXISTS (SELECT 1 FROM runs r WHERE r.sweep_id = s.sweep_id AND r.state IN ${IDLE_RUNS}) END
      ORDER BY s.sweep_id LIMIT $2`,
    [after, limit],
  );
  return rows.map(({ sweep_id }) => sweep_id);
}
