import { beforeAll, expect, test } from 'vitest';
import type { Objective } from '../../../services/core/objective.ts';
import { ATTEMPT_STATES } from '../../../services/core/states/attempt-state.ts';
import { RUN_STATES } from '../../../services/core/states/run-state.ts';
import { SWEEP_STATES } from '../../../services/core/states/sweep-state.ts';
import { TASK_STATES } from '../../../services/core/states/task-state.ts';
import { TOKEN_ROLES } from '../../../services/core/token-role.ts';
import { SPLITS } from '../../../services/core/dataset.ts';
import type {
  CheckpointKind,
  ErrorClass,
  FeatureDtype,
  Pooling,
  RunOutcomeKind,
  Stage,
  TestRole,
} from '../../../services/core/task.ts';
import type { OutboxKind } from '../../../services/core/records/mlflow.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';

/** The compiler refuses a list that misses a word of the type or has another one. */
function words<T extends string>(list: Readonly<Record<T, true>>): readonly string[] {
  return Object.keys(list);
}

const STAGES = words<Stage>({ INDEX: true, FEATURES: true, HEAD: true, FINE_TUNE: true, EVALUATE: true });
const TRAINED_STAGES = ['HEAD', 'FINE_TUNE'];
const ROLES = words<TestRole>({ WINNER: true, BASELINE: true, EVERY_RUN: true });

const LISTS: Readonly<Record<string, readonly string[]>> = {
  sweeps_state_check: SWEEP_STATES.states,
  sweeps_objective_metric_check: words<Objective['metric']>({ val_loss: true, val_accuracy: true }),
  sweeps_objective_goal_check: words<Objective['goal']>({ minimize: true, maximize: true }),
  sweeps_test_policy_check: ['winner', 'every_run'],
  runs_state_check: RUN_STATES.states,
  runs_stage_check: STAGES,
  runs_best_stage_check: TRAINED_STAGES,
  tasks_state_check: TASK_STATES.states,
  tasks_stage_check: STAGES,
  tasks_command_check: ['ABANDON', 'PAUSE', 'STOP', 'KILL', 'CHECKPOINT_NOW'],
  task_runs_state_check: [
    'PENDING',
    ...words<RunOutcomeKind>({ SUCCEEDED: true, EARLY_STOPPED: true, FAILED: true, STOPPED: true }),
  ],
  task_runs_role_check: ROLES,
  tokens_role_check: TOKEN_ROLES,
  attempts_state_check: ATTEMPT_STATES.states,
  attempts_error_class_check: words<ErrorClass>({
    INFRASTRUCTURE: true,
    MEMORY: true,
    PERMANENT: true,
    NUMERIC: true,
    COUNTED: true,
  }),
  feature_sets_split_check: SPLITS,
  feature_sets_dtype_check: words<FeatureDtype>({ float32: true, float16: true }),
  feature_sets_pooling_check: words<Pooling>({ avg: true, max: true, none: true }),
  feature_sets_state_check: ['PLANNED', 'COMPUTED'],
  epoch_metrics_stage_check: TRAINED_STAGES,
  checkpoints_stage_check: TRAINED_STAGES,
  checkpoints_kind_check: words<CheckpointKind>({ BEST: true, LAST: true }),
  checkpoints_state_check: ['STORED', 'DELETING', 'DELETED'],
  test_results_role_check: ROLES,
  trainers_state_check: ['READY', 'DRAINING', 'LOST'],
  slots_device_kind_check: ['cpu', 'gpu'],
  outbox_kind_check: words<OutboxKind>({
    SWEEP: true,
    RUN: true,
    METRICS: true,
    TEST_RESULT: true,
    REPORT: true,
    MODEL: true,
  }),
  outbox_stage_check: TRAINED_STAGES,
};

beforeAll(databaseServerStarted);

test('the words that the database allows are those of services/core', async () => {
  await using database = await createTestDatabase();
  const [checks] = await runOn(database.url, [
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
      WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND pg_get_constraintdef(oid) LIKE '%ANY (ARRAY[''%'`,
  ]);
  const allowed = (checks ?? [])
    // The one about leases is no list of its own.
    .filter(({ name }) => name !== 'tasks_lease_check')
    .map(({ name, definition }) => [name, [...String(definition).matchAll(/'(\w+)'/g)].map(([, word]) => word).sort()]);
  const expected = Object.entries(LISTS).map(([name, list]) => [name, [...list].sort()]);
  expect(Object.fromEntries(allowed)).toEqual(Object.fromEntries(expected));
});
