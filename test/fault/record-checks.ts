/**
 * An invariant of the database as SQL. `scope` has the columns `reference` (a sweep), `sweeps` (the disturbed sweeps of the same spec) and
 * `every` (these and others, which are not compared).
 */
export interface RecordCheck {
  readonly invariant: string;
  /** SQL from FROM on, whose rows are counted as evidence. */
  readonly evidence: string;
  readonly unit: string;
  /** SQL that returns one row with `text` per violation. */
  readonly violations: string;
}

export const IN_SWEEPS = 'IN (SELECT unnest(sweeps) FROM scope)';
export const IN_EVERY = 'IN (SELECT unnest("every") FROM scope)';
const IS_REFERENCE = '= (SELECT reference FROM scope)';

/** Metrics that depend on the machine's clock and differ between sweeps. */
const TIMED = `('seconds', 'images_per_second')`;

const KEPT = `SELECT r.sweep_id, r.run_index, m.stage, m.epoch, m.name, m.value
                FROM epoch_metrics m JOIN runs r USING (run_id) WHERE m.superseded_by IS NULL`;

/** Metrics of runs that a rule stopped while their last attempt was lost: they keep what was saved (`runs/supersede-unsaved.ts`). */
const UNSAVED = `SELECT r.sweep_id, r.run_index, m.stage, m.epoch, m.name
                   FROM epoch_metrics m JOIN runs r USING (run_id)
                  WHERE m.superseded_by IS NOT NULL AND r.state = 'STOPPED' AND r.end_cause = 'RULE'
                    AND EXISTS (SELECT 1 FROM task_runs tr JOIN attempts a USING (task_id)
                                 WHERE tr.run_id = r.run_id AND a.state IN ('EXPIRED', 'FAILED'))`;

/** Returns SQL for each disturbed sweep with each row of the undisturbed one. */
export const EXPECTED = (rows: string) =>
  `(SELECT s.sweep_id AS of_sweep, x.* FROM (${rows}) x, (SELECT unnest(sweeps) AS sweep_id FROM scope) s
     WHERE x.sweep_id ${IS_REFERENCE})`;

const WINNERS = `SELECT sweep_id, run_index, run_id, best_value, best_stage, best_epoch, best_val_loss, best_val_accuracy
                   FROM leaderboard WHERE rank = 1`;

const TEST_RESULTS = `SELECT r.sweep_id, r.run_index, t.role, t.accuracy, t.loss, t.roc_auc, t.image_count, t.correct_count,
                             t.confusion_matrix
                        FROM test_results t JOIN runs r USING (run_id)`;

const RUN_ENDS = 'SELECT sweep_id, run_index, state, end_cause, state_reason, rung FROM runs';

const PLACED_ATTEMPTS = `
  SELECT a.*, t.sweep_id, t.stage, row_number() OVER (PARTITION BY a.task_id ORDER BY a.create_time) AS place,
         min(a.lease_epoch) OVER (PARTITION BY a.task_id) AS first
    FROM attempts a JOIN tasks t USING (task_id)`;

export const RECORD_CHECKS: readonly RecordCheck[] = [
  {
    invariant: 'every sweep has SUCCEEDED, and every run the end of the undisturbed one',
    evidence: `FROM runs WHERE sweep_id ${IN_EVERY}`,
    unit: 'runs',
    violations: `
      SELECT format('sweep %s is %s: %s', sweep_id, state, state_reason) AS text
        FROM sweeps WHERE sweep_id ${IN_EVERY} AND state <> 'SUCCEEDED'
      UNION ALL
      SELECT format('run %s (number %s of sweep %s) is %s in %s: %s', run_id, run_index, sweep_id, state, stage, state_reason)
        FROM runs WHERE sweep_id ${IN_EVERY} AND state NOT IN ('SUCCEEDED', 'STOPPED')
      UNION ALL
      SELECT format('run number %s of sweep %s: %s instead of %s', coalesce(x.run_index, r.run_index),
                    coalesce(x.of_sweep, r.sweep_id), coalesce(to_jsonb(r)::text, 'missing'), coalesce(to_jsonb(x)::text, 'none'))
        FROM ${EXPECTED(RUN_ENDS)} x
        FULL JOIN (SELECT * FROM (${RUN_ENDS}) e WHERE sweep_id ${IN_SWEEPS}) r
          ON r.sweep_id = x.of_sweep AND r.run_index = x.run_index
       WHERE (r.state, r.end_cause, r.state_reason, r.rung)
             IS DISTINCT FROM (x.state, x.end_cause, x.state_reason, x.rung)`,
  },
  {
    invariant: 'every task has ended without a failure and no attempt is live',
    evidence: `FROM tasks WHERE sweep_id ${IN_EVERY}`,
    unit: 'tasks',
    violations: `
      SELECT format('task %s (%s) is %s', task_id, stage, state) AS text
        FROM tasks WHERE sweep_id ${IN_EVERY} AND state NOT IN ('SUCCEEDED', 'CANCELLED')
      UNION ALL
      SELECT format('attempt %s of task %s is %s, ended %s', a.lease_epoch, a.task_id, a.state, coalesce(a.end_time::text, 'never'))
        FROM attempts a JOIN tasks USING (task_id)
       WHERE sweep_id ${IN_EVERY} AND (a.state IN ('LEASED', 'RUNNING') OR a.end_time IS NULL)`,
  },
  {
    invariant: 'curves are those of the undisturbed sweep, bit by bit (without seconds, images_per_second)',
    evidence: `FROM (${KEPT}) k WHERE sweep_id ${IN_SWEEPS} AND name NOT IN ${TIMED}`,
    unit: 'values',
    violations: `
      SELECT format('sweep %s, run %s, %s epoch %s: %s is %s instead of %s', k.sweep_id, k.run_index, k.stage, k.epoch, k.name,
                    k.value, x.value) AS text
        FROM ${EXPECTED(KEPT)} x
        JOIN (${KEPT}) k
          ON k.sweep_id = x.of_sweep AND (k.run_index, k.stage, k.epoch, k.name) = (x.run_index, x.stage, x.epoch, x.name)
       WHERE x.name NOT IN ${TIMED} AND float8send(k.value) <> float8send(x.value)
       ORDER BY k.sweep_id, k.run_index, k.stage, k.epoch`,
  },
  {
    invariant: 'no metric is missing and none is counted twice',
    evidence: `FROM (${KEPT}) k WHERE sweep_id ${IN_SWEEPS}`,
    unit: 'values that count',
    violations: `
      SELECT format('sweep %s, run %s, %s epoch %s: %s is missing', x.of_sweep, x.run_index, x.stage, x.epoch, x.name) AS text
        FROM ${EXPECTED(KEPT)} x
       WHERE NOT EXISTS (SELECT 1 FROM (${KEPT}) k WHERE k.sweep_id = x.of_sweep
               AND (k.run_index, k.stage, k.epoch, k.name) = (x.run_index, x.stage, x.epoch, x.name))
         AND NOT EXISTS (SELECT 1 FROM (${UNSAVED}) u WHERE u.sweep_id = x.of_sweep
               AND (u.run_index, u.stage, u.epoch, u.name) = (x.run_index, x.stage, x.epoch, x.name))
      UNION ALL
      SELECT format('sweep %s, run %s, %s epoch %s: %s counts and the undisturbed sweep has none', k.sweep_id, k.run_index,
                    k.stage, k.epoch, k.name)
        FROM (${KEPT}) k
       WHERE k.sweep_id ${IN_SWEEPS} AND NOT EXISTS (SELECT 1 FROM (${KEPT}) x WHERE x.sweep_id ${IS_REFERENCE}
               AND (k.run_index, k.stage, k.epoch, k.name) = (x.run_index, x.stage, x.epoch, x.name))
      UNION ALL
      SELECT format('sweep %s, run %s, %s epoch %s: %s counts %s times', sweep_id, run_index, stage, epoch, name, count(*))
        FROM (${KEPT}) k WHERE sweep_id ${IN_SWEEPS}
       GROUP BY sweep_id, run_index, stage, epoch, name HAVING count(*) > 1`,
  },
  {
    invariant: 'every metric belongs to an attempt of its task',
    evidence: `FROM epoch_metrics m JOIN runs r USING (run_id) WHERE r.sweep_id ${IN_EVERY}`,
    unit: 'values, including superseded ones',
    violations: `
      SELECT format('%s values of task %s carry lease %s, which was never granted', count(*), m.task_id, m.lease_epoch) AS text
        FROM epoch_metrics m JOIN runs r USING (run_id)
        LEFT JOIN attempts a ON a.task_id = m.task_id AND a.lease_epoch = m.lease_epoch
       WHERE r.sweep_id ${IN_EVERY} AND a.task_id IS NULL
       GROUP BY m.task_id, m.lease_epoch`,
  },
  {
    invariant: 'the winner is that of the undisturbed sweep',
    evidence: `FROM (${WINNERS}) w WHERE sweep_id ${IN_SWEEPS}`,
    unit: 'winners',
    violations: `
      SELECT format('sweep %s: run %s with %s instead of run %s with %s', x.of_sweep, w.run_index, w.best_value, x.run_index,
                    x.best_value) AS text
        FROM ${EXPECTED(WINNERS)} x LEFT JOIN (${WINNERS}) w ON w.sweep_id = x.of_sweep
       WHERE (w.run_index, w.best_value, w.best_stage, w.best_epoch, w.best_val_loss, w.best_val_accuracy)
             IS DISTINCT FROM
             (x.run_index, x.best_value, x.best_stage, x.best_epoch, x.best_val_loss, x.best_val_accuracy)`,
  },
  {
    invariant: 'test results are those of the undisturbed sweep',
    evidence: `FROM (${TEST_RESULTS}) t WHERE sweep_id ${IN_SWEEPS}`,
    unit: 'test results',
    violations: `
      SELECT format('sweep %s, run %s: %s instead of %s', coalesce(x.of_sweep, t.sweep_id), coalesce(x.run_index, t.run_index),
                    coalesce(to_jsonb(t)::text, 'no test result'), coalesce(to_jsonb(x)::text, 'none')) AS text
        FROM ${EXPECTED(TEST_RESULTS)} x
        FULL JOIN (SELECT * FROM (${TEST_RESULTS}) every WHERE sweep_id ${IN_SWEEPS}) t
          ON t.sweep_id = x.of_sweep AND t.run_index = x.run_index
       WHERE (t.role, t.accuracy, t.loss, t.roc_auc, t.image_count, t.correct_count, t.confusion_matrix)
             IS DISTINCT FROM
             (x.role, x.accuracy, x.loss, x.roc_auc, x.image_count, x.correct_count, x.confusion_matrix)`,
  },
  {
    invariant: 'every run that SUCCEEDED has the checkpoint of its best epoch',
    evidence: `FROM checkpoints c JOIN runs r USING (run_id) WHERE r.sweep_id ${IN_EVERY} AND c.state = 'STORED'`,
    unit: 'stored checkpoints',
    violations: `
      SELECT format('run %s (number %s of sweep %s): none of %s epoch %s is stored', run_id, run_index, sweep_id, best_stage,
                    best_epoch) AS text
        FROM runs r
       WHERE sweep_id ${IN_EVERY} AND state = 'SUCCEEDED'
         AND NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.run_id = r.run_id AND c.stage = r.best_stage
                            AND c.epoch = r.best_epoch AND c.kind = 'BEST' AND c.state = 'STORED')`,
  },
  {
    invariant: 'a task never has two live attempts',
    evidence: `FROM attempts JOIN tasks USING (task_id) WHERE sweep_id ${IN_EVERY}`,
    unit: 'attempts',
    violations: `
      SELECT format('task %s: attempt %s ended %s, attempt %s began %s', a.task_id, a.lease_epoch,
                    coalesce(a.end_time::text, 'never'), b.lease_epoch, b.create_time) AS text
        FROM attempts a JOIN attempts b ON b.task_id = a.task_id AND b.lease_epoch > a.lease_epoch
        JOIN tasks t ON t.task_id = a.task_id
       WHERE t.sweep_id ${IN_EVERY} AND (a.end_time IS NULL OR b.create_time < a.end_time)`,
  },
  {
    invariant:
      'lease epochs of a task are 1, 2, 3 … in temporal order, or continue those of another task of its run and stage',
    evidence: `FROM tasks WHERE sweep_id ${IN_EVERY} AND lease_epoch > 1`,
    unit: 'tasks that were leased more than once, or continue another task',
    violations: `
      SELECT format('task %s: attempt %s is number %s in time', task_id, lease_epoch, place) AS text
        FROM (${PLACED_ATTEMPTS}) a
       WHERE sweep_id ${IN_EVERY} AND lease_epoch <> first + place - 1
      UNION ALL
      SELECT format('task %s: its attempts begin at %s, and no other of its run and stage ends before that', a.task_id, a.first)
        FROM (${PLACED_ATTEMPTS}) a
       WHERE sweep_id ${IN_EVERY} AND place = 1 AND first > 1 AND NOT EXISTS (
         SELECT 1 FROM task_runs own JOIN task_runs other ON other.run_id = own.run_id AND other.task_id <> own.task_id
           JOIN tasks o ON o.task_id = other.task_id
          WHERE own.task_id = a.task_id AND o.stage = a.stage AND o.lease_epoch = a.first - 1)
      UNION ALL
      SELECT format('task %s: its lease epoch is %s, but %s attempts are recorded', t.task_id, t.lease_epoch, count(a.task_id))
        FROM tasks t LEFT JOIN attempts a USING (task_id)
       WHERE t.sweep_id ${IN_EVERY}
       GROUP BY t.task_id
      HAVING count(a.task_id) <> t.lease_epoch - coalesce(min(a.lease_epoch) - 1, 0)
             -- A task that continues another begins at its lease epoch, and may never be leased: a bound ended the search first.
             AND NOT (count(a.task_id) = 0 AND t.lease_epoch = (
               SELECT max(o.lease_epoch) FROM task_runs own JOIN task_runs other ON other.run_id = own.run_id AND other.task_id <> own.task_id
                 JOIN tasks o ON o.task_id = other.task_id AND o.stage = t.stage
                WHERE own.task_id = t.task_id))`,
  },
];
