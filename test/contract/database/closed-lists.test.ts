import { beforeAll, expect, test } from 'vitest';
import { SPLITS } from '../../../services/core/dataset.ts';
import { OUTBOX_KINDS } from '../../../services/core/records/mlflow.ts';
import { OBJECTIVE_GOALS, OBJECTIVE_METRICS } from '../../../services/core/objective.ts';
import { ATTEMPT_STATES } from '../../../services/core/states/attempt-state.ts';
import { DECISION_KINDS, SEARCH_ENDS } from '../../../services/core/records/decision.ts';
import { END_CAUSES } from '../../../services/core/records/run.ts';
import { RUN_STATES } from '../../../services/core/states/run-state.ts';
import { SWEEP_STATES } from '../../../services/core/states/sweep-state.ts';
import { TASK_STATES } from '../../../services/core/states/task-state.ts';
import { WINNER_RULES } from '../../../services/core/sweep/finalist-spec.ts';
import { TEST_POLICIES } from '../../../services/core/sweep/sweep-spec.ts';
import { FEATURE_DTYPES } from '../../../services/core/run-config.ts';
import {
  CHECKPOINT_KINDS,
  ERROR_CLASSES,
  POOLINGS,
  RUN_OUTCOMES,
  STAGES,
  TEST_ROLES,
  TRAINED_STAGES,
} from '../../../services/core/task.ts';
import { TOKEN_ROLES } from '../../../services/core/token-role.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';

const LISTS: Readonly<Record<string, readonly string[]>> = {
  sweeps_state_check: SWEEP_STATES.states,
  sweeps_objective_metric_check: OBJECTIVE_METRICS,
  sweeps_objective_goal_check: OBJECTIVE_GOALS,
  sweeps_test_policy_check: TEST_POLICIES,
  runs_state_check: RUN_STATES.states,
  runs_stage_check: STAGES,
  runs_end_cause_check: END_CAUSES,
  rungs_stage_check: TRAINED_STAGES,
  repeat_results_stage_check: TRAINED_STAGES,
  winners_rule_check: WINNER_RULES,
  searches_end_reason_check: SEARCH_ENDS,
  decisions_kind_check: DECISION_KINDS,
  runs_best_stage_check: TRAINED_STAGES,
  tasks_state_check: TASK_STATES.states,
  tasks_stage_check: STAGES,
  tasks_command_check: ['ABANDON', 'PAUSE', 'STOP', 'KILL', 'CHECKPOINT_NOW'],
  task_runs_state_check: ['PENDING', ...RUN_OUTCOMES],
  task_runs_role_check: TEST_ROLES,
  tokens_role_check: TOKEN_ROLES,
  attempts_state_check: ATTEMPT_STATES.states,
  attempts_error_class_check: ERROR_CLASSES,
  feature_sets_split_check: SPLITS,
  feature_sets_dtype_check: FEATURE_DTYPES,
  feature_sets_pooling_check: POOLINGS,
  probes_pooling_check: ['avg', 'max'],
  feature_sets_state_check: ['PLANNED', 'COMPUTED'],
  epoch_metrics_stage_check: TRAINED_STAGES,
  checkpoints_stage_check: TRAINED_STAGES,
  checkpoints_kind_check: CHECKPOINT_KINDS,
  checkpoints_state_check: ['STORED', 'DELETING', 'DELETED'],
  test_results_role_check: TEST_ROLES,
  trainers_state_check: ['READY', 'DRAINING', 'LOST'],
  slots_device_kind_check: ['cpu', 'gpu'],
  outbox_kind_check: OUTBOX_KINDS,
  outbox_stage_check: TRAINED_STAGES,
};

beforeAll(databaseServerStarted);

test('allows in each column the words of its list in services/core', async () => {
  await using database = await createTestDatabase();
  const [checks] = await runOn(database.url, [
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
      WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND pg_get_constraintdef(oid) LIKE '%ANY (ARRAY[''%'`,
  ]);
  const allowed = (checks ?? [])
    // It is about columns of a lease, not a list of its own.
    .filter(({ name }) => name !== 'tasks_lease_check')
    .map(({ name, definition }) => [name, [...String(definition).matchAll(/'(\w+)'/g)].map(([, word]) => word).sort()]);
  const expected = Object.entries(LISTS).map(([name, list]) => [name, [...list].sort()]);
  expect(Object.fromEntries(allowed)).toEqual(Object.fromEntries(expected));
});
