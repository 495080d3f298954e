import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { insertLargeRecord, LARGE_RUN, LARGE_SWEEP } from '../../support/large-record.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  // Below some hundred pages a table is read as a whole at the same cost.
  await insertLargeRecord(database.url, { runs: 8_000, epochs: 2, runsPerSweep: 10 });
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`INSERT INTO outbox (sweep_id, run_id, kind, dead_time, error_code)
    SELECT sweep_id, run_id, 'RUN', CASE WHEN run_index % 50 = 0 THEN now() END, CASE WHEN run_index % 50 = 0 THEN 'GONE' END FROM runs`);
  await client.query(`INSERT INTO test_results
    SELECT r.run_id, r.run_id || 'BEST', 'EVERY_RUN', 0.9, 0.8, 0.95, 0.3, NULL, 10, 9, '{}' FROM runs r WHERE run_index >= 2`);
  await client.query(`UPDATE tasks SET model_seconds = 1, cost_class = 'c' || position % 20, peak_memory_bytes = 2, forecast_memory_bytes = 1
      WHERE stage = 'HEAD' AND position % 9 = 2`);
  // A lively cluster: a few of its leases have run out.
  await client.query(`UPDATE tasks SET state = 'RUNNING', trainer_id = task_id, slot_index = 0,
      lease_expire_time = now() + CASE WHEN sweep_id < 'sweep-005' THEN -1 ELSE 1 END * interval '1 minute' WHERE stage = 'EVALUATE'`);
  await client.query(`INSERT INTO searches (sweep_id, policy) SELECT sweep_id, '{}' FROM sweeps`);
  await client.query(`INSERT INTO rungs (sweep_id, rung, stage) SELECT sweep_id, 0, 'HEAD' FROM sweeps`);
  await client.query(`INSERT INTO rung_entries (sweep_id, rung, run_id, arrival, value, epoch, task_id, lease_epoch)
    SELECT sweep_id, 0, run_id, run_index + 1, 0.5, 2, sweep_id, 1 FROM runs`);
  await client.query(`INSERT INTO decisions (sweep_id, decision_id, kind, run_id, rung)
    SELECT sweep_id, run_index + 1, 'CONTINUE', run_id, 0 FROM runs`);
  await client.query(`UPDATE runs SET result_digest = md5(run_id), head_digest = md5(run_id || 'head')`);
  await client.query('ANALYZE');
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

/**
 * A query for each index: of a view, of the cookbook, or of the coordinator (then the statement's file has the same
 * condition). An index that no query here needs has no place in the schema, because each one slows every write.
 */
const USES: Readonly<Record<string, string>> = {
  checkpoints_handle_idx: `SELECT checkpoint_id FROM checkpoints WHERE state = 'STORED' AND checkpoint_id LIKE 'c0%'`,
  checkpoints_deleting_idx: `SELECT uri FROM checkpoints WHERE state = 'DELETING' ORDER BY create_time LIMIT 100`,
  checkpoints_run_id_stage_epoch_idx: `SELECT * FROM checkpoint_lineage WHERE run_id = '${LARGE_RUN}'`,
  epoch_metrics_superseded_idx: `SELECT * FROM run_attempts WHERE sweep_id = '${LARGE_SWEEP}'`,
  decisions_run_id_idx: `SELECT * FROM decision_log WHERE run_id = '${LARGE_RUN}'`,
  events_sweep_id_event_id_idx: `SELECT * FROM events WHERE sweep_id = 'sweep-007' AND event_id > 7 ORDER BY event_id LIMIT 500`,
  events_sweep_state_idx: `SELECT max(create_time) FROM events WHERE sweep_id = 'sweep-007' AND kind = 'SWEEP_STATE'`,
  outbox_dead_idx: `SELECT outbox_id FROM outbox WHERE dead_time IS NOT NULL AND outbox_id > 5 ORDER BY outbox_id LIMIT 100`,
  outbox_pending_idx: `SELECT outbox_id FROM outbox WHERE coalesce(run_id, sweep_id) = '${LARGE_RUN}' AND dead_time IS NULL ORDER BY outbox_id LIMIT 9`,
  run_parameters_name_idx: `SELECT count(*) FROM run_parameters WHERE name = 'fixed.7'`,
  rung_entries_run_id_idx: `SELECT rung, value FROM rung_entries WHERE run_id = '${LARGE_RUN}'`,
  runs_ended_idx: `SELECT run_id FROM runs WHERE sweep_id = '${LARGE_SWEEP}' AND state IN ('SUCCEEDED', 'FAILED', 'INFEASIBLE')
    AND start_time IS NOT NULL AND end_time > '-infinity' ORDER BY end_time DESC, run_id DESC LIMIT 3`,
  runs_head_digest_idx: `SELECT run_id FROM runs WHERE head_digest = ANY('{a,b}') AND reused_run_id IS NULL AND head_run_id IS NULL`,
  runs_head_run_id_idx: `SELECT run_id FROM runs WHERE head_run_id = '${LARGE_RUN}'`,
  runs_live_idx: `SELECT 1 FROM runs WHERE sweep_id = '${LARGE_SWEEP}' AND state IN ('QUEUED', 'RUNNING', 'PAUSED', 'STOPPING') LIMIT 1`,
  runs_repeat_of_idx: `SELECT run_id FROM runs WHERE repeat_of = '${LARGE_RUN}'`,
  runs_result_digest_idx: `SELECT run_id FROM runs WHERE result_digest = ANY('{a,b}') AND reused_run_id IS NULL`,
  runs_reused_run_id_idx: `SELECT run_id FROM runs WHERE reused_run_id = '${LARGE_RUN}'`,
  sweeps_handle_id_idx: `SELECT sweep_id FROM sweeps WHERE lower(sweep_id) LIKE 'sweep-007%'`,
  sweeps_handle_name_idx: `SELECT sweep_id FROM sweeps WHERE display_name <> '' AND lower(display_name) LIKE 'heads%'`,
  sweeps_tags_idx: `SELECT sweep_id FROM sweeps WHERE tags @> '{kept}'`,
  sweeps_create_time_idx: `SELECT * FROM sweeps ORDER BY create_time DESC LIMIT 10`,
  task_dependencies_depends_on_id_idx: `SELECT task_id FROM task_dependencies WHERE depends_on_id = 'sweep-007-f'`,
  task_feature_sets_feature_key_idx: `SELECT * FROM task_feature_sets WHERE feature_key = 'none'`,
  task_runs_run_id_idx: `SELECT * FROM task_runs WHERE run_id = '${LARGE_RUN}'`,
  task_runs_source_checkpoint_id_idx: `SELECT 1 FROM task_runs WHERE source_checkpoint_id = '${LARGE_RUN}BEST'`,
  tasks_lease_expire_time_idx: `SELECT task_id FROM tasks WHERE state IN ('LEASED', 'RUNNING') AND lease_expire_time < now()`,
  tasks_measured_idx: `SELECT task_id FROM tasks WHERE state = 'SUCCEEDED' AND lease_epoch = 1 AND model_seconds IS NOT NULL ORDER BY end_time DESC LIMIT 20`,
  tasks_peak_memory_idx: `SELECT peak_memory_bytes FROM tasks WHERE cost_class = 'c2' AND peak_memory_bytes > 0 AND forecast_memory_bytes > 0
    ORDER BY end_time DESC LIMIT 20`,
  tasks_ready_idx: `SELECT min(not_before_time) FROM tasks WHERE state = 'READY' AND not_before_time > now()`,
  tasks_ready_shared_idx: `SELECT task_id FROM tasks WHERE state = 'READY' AND stage IN ('INDEX', 'FEATURES')`,
  tasks_sweep_id_position_idx: `SELECT task_id FROM tasks WHERE sweep_id = '${LARGE_SWEEP}' ORDER BY position LIMIT 20`,
  tasks_sweep_ready_idx: `SELECT task_id FROM tasks WHERE sweep_id = '${LARGE_SWEEP}' AND state = 'READY' ORDER BY position, task_id LIMIT 1`,
  test_results_checkpoint_id_idx: `SELECT role FROM test_results WHERE checkpoint_id = '${LARGE_RUN}BEST'`,
  test_results_winner_idx: `SELECT run_id FROM test_results WHERE role = 'WINNER' ORDER BY run_id LIMIT 20`,
};

/** Unique ones are rules and stay without a question; but these questions rest on them. */
const RULES: Readonly<Record<string, string>> = {
  runs_sweep_id_run_index_key: `SELECT * FROM leaderboard WHERE sweep_id = '${LARGE_SWEEP}'`,
  epoch_metrics_surviving_key: `SELECT val_loss FROM epoch_curves WHERE run_id = '${LARGE_RUN}'`,
  run_parameters_pkey: `SELECT * FROM run_parameter_values WHERE run_id = '${LARGE_RUN}'`,
  test_predictions_pkey: `SELECT * FROM test_answers WHERE run_id = '${LARGE_SWEEP}-r0001'`,
};

test('each index that is no rule has a question here', async () => {
  const { rows } = await client.query<{ name: string }>(
    `SELECT i.relname AS name FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
      WHERE t.relnamespace = 'public'::regnamespace AND t.relname <> '_prisma_migrations' AND NOT x.indisunique ORDER BY 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual(Object.keys(USES).sort());
});

describe('the server answers by', () => {
  test.each(Object.entries({ ...USES, ...RULES }))('%s', async (index, query) => {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${query}`);
    const plan = rows.map((row) => row['QUERY PLAN']);
    expect(
      plan.filter((line) => line.includes(` ${index} `) || line.endsWith(` ${index}`)),
      plan.join('\n'),
    ).not.toEqual([]);
  });
});
