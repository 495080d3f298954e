import { runOn } from './database-server.ts';

/** Size of the record: a tenth of the runs in one sweep, the others in small sweeps. */
export interface LargeRecord {
  readonly runs: number;
  /** Epochs of each run, with seven metrics each. */
  readonly epochs: number;
  /** Runs of a small sweep; default 100. */
  readonly runsPerSweep?: number;
}

/** ID of the sweep with a tenth of all runs. */
export const LARGE_SWEEP = 'sweep-000';
/** ID of one of its runs. */
export const LARGE_RUN = 'sweep-000-r0042';

/** Parameters that are the same for all runs; three others differ. */
const FIXED_PARAMETERS = 30;

/**
 * Fills a database with the rows of finished runs, by statements over `generate_series`: heads in fused groups of ten, one attempt in
 * twenty lost after its last epoch, two checkpoints per run, the winner and the baseline of each sweep tested. The rows are the same
 * at each call.
 */
export async function insertLargeRecord(url: string, { runs, epochs, runsPerSweep = 100 }: LargeRecord): Promise<void> {
  const largest = Math.ceil(runs / 10);
  const others = Math.ceil((runs - largest) / runsPerSweep);
  await runOn(url, [
    // This session does not check foreign keys row by row; its rows are consistent.
    'SET session_replication_role = replica',
    `INSERT INTO datasets (dataset_id, digest, path, class_names, class_counts, problems, manifest_uri)
     VALUES ('d0123456789abcdef', repeat('0123456789abcdef', 4), '/data/animals', '{cat,dog}', '[]', '[]', 'manifests/x.json')`,
    `INSERT INTO trainers (trainer_id, hostname, version, engine_version, state)
     SELECT 'node-' || i, 'node-' || i, '0.1.0', '2.21.0', 'READY' FROM generate_series(0, 15) i`,
    `INSERT INTO slots (trainer_id, slot_index, device_kind, device_name, memory_bytes, thread_count)
     SELECT 'node-' || i, s, 'gpu', 'GPU ' || s, 85899345920, 4 FROM generate_series(0, 15) i, generate_series(0, 1) s`,
    `INSERT INTO sweeps (sweep_id, spec_digest, display_name, spec, state, dataset_id, objective_metric, objective_goal, test_policy,
                         varied_names, weights, planned, create_time, start_time, end_time)
     SELECT 'sweep-' || to_char(i, 'FM000'), repeat('f', 64), 'heads', '{}', 'SUCCEEDED', 'd0123456789abcdef', 'val_loss', 'minimize',
            'winner', '{backbone,head.units,optimizer.learning_rate}',
            '[{"backbone": "vgg16", "weights": "imagenet", "digest": "7777"}]', true, t, t, t + interval '1 hour'
       FROM generate_series(0, ${others}) i, LATERAL (SELECT timestamptz '2026-01-01' + i * interval '1 hour' AS t) c`,
    `INSERT INTO runs (run_id, sweep_id, run_index, parameters_digest, parameters, state, stage, epoch_count, epoch_limit, best_value,
                       best_stage, best_epoch, best_val_loss, best_val_accuracy, last_value, create_time, start_time, end_time)
     SELECT s.sweep_id || '-r' || lpad(r::text, 4, '0'), s.sweep_id, r, md5(r::text), '{"backbone": "vgg16"}',
            CASE WHEN r % 50 = 49 THEN 'FAILED' ELSE 'SUCCEEDED' END, 'HEAD', ${epochs}, ${epochs}, v, 'HEAD', ${epochs}, v, 1 - v, v,
            s.create_time, s.create_time, s.create_time + interval '10 minutes'
       FROM sweeps s, generate_series(0, CASE s.sweep_id WHEN '${LARGE_SWEEP}' THEN ${largest} ELSE ${runsPerSweep} END - 1) r,
            LATERAL (SELECT 0.1 + (r * 7919 % 1000) / 2000.0 AS v) x`,
    `INSERT INTO run_parameters (run_id, name, number_value, int_value, string_value)
     SELECT run_id, 'backbone', NULL::float8, NULL::bigint, (ARRAY['vgg16', 'resnet50', 'efficientnet_b0'])[run_index % 3 + 1] FROM runs
     UNION ALL SELECT run_id, 'head.units', NULL, (2 ^ (5 + run_index % 4))::bigint, NULL FROM runs
     UNION ALL SELECT run_id, 'optimizer.learning_rate', (0.1 ^ (1 + run_index % 5))::float8, NULL, NULL FROM runs
     UNION ALL SELECT run_id, 'fixed.' || i, i, NULL, NULL FROM runs, generate_series(1, ${FIXED_PARAMETERS}) i`,
    `INSERT INTO tasks (task_id, sweep_id, stage, state, position, lease_epoch, create_time, end_time)
     SELECT sweep_id || '-i', sweep_id, 'INDEX', 'SUCCEEDED', 0, 1, create_time, create_time + interval '5 seconds' FROM sweeps
     UNION ALL SELECT sweep_id || '-f', sweep_id, 'FEATURES', 'SUCCEEDED', 1, 1, create_time, create_time + interval '1 minute' FROM sweeps
     UNION ALL SELECT sweep_id || '-h' || run_index / 10, sweep_id, 'HEAD', 'SUCCEEDED', 2 + run_index / 10,
                      CASE WHEN run_index / 10 % 20 = 7 THEN 2 ELSE 1 END, create_time, end_time FROM runs WHERE run_index % 10 = 0
     UNION ALL SELECT sweep_id || '-e', sweep_id, 'EVALUATE', 'SUCCEEDED', 100000, 1, end_time, end_time FROM sweeps`,
    `INSERT INTO task_runs (task_id, run_id, position, state)
     SELECT sweep_id || '-h' || run_index / 10, run_id, run_index % 10, 'SUCCEEDED' FROM runs`,
    `INSERT INTO task_dependencies (task_id, depends_on_id)
     SELECT task_id, sweep_id || '-f' FROM tasks WHERE stage = 'HEAD'`,
    `INSERT INTO feature_sets (feature_key, dataset_digest, split, backbone, weights_digest, image_size, pooling, state, uri, sha256,
                               row_count, size_bytes, compute_seconds, computed_by_task_id)
     SELECT md5(f::text), repeat('0123456789abcdef', 4), 'train', 'vgg16', '7777', 180, 'avg', 'COMPUTED', 'features/' || f, 'x', 2000,
            4096000, 55, 'sweep-00' || f || '-f'
       FROM generate_series(0, 2) f`,
    `INSERT INTO task_feature_sets (task_id, feature_key)
     SELECT task_id, md5((position % 3)::text) FROM tasks WHERE stage IN ('FEATURES', 'HEAD')`,
    `INSERT INTO attempts (task_id, lease_epoch, trainer_id, slot_index, request_id, state, error_class, error_code, create_time, end_time)
     SELECT t.task_id, l, 'node-' || abs(hashtext(t.task_id)) % 16, abs(hashtext(t.task_id || 'x')) % 2, t.task_id || l,
            CASE WHEN l < t.lease_epoch THEN 'EXPIRED' ELSE 'SUCCEEDED' END,
            CASE WHEN l < t.lease_epoch THEN 'INFRASTRUCTURE' END, CASE WHEN l < t.lease_epoch THEN 'LEASE_EXPIRED' END,
            t.create_time + (l - 1) * interval '4 minutes', t.create_time + l * interval '4 minutes'
       FROM tasks t, generate_series(1, t.lease_epoch) l`,
    // The lost attempt had measured every epoch and saved the second to last, so the next attempt repeated the last.
    `INSERT INTO epoch_metrics (run_id, stage, epoch, name, lease_epoch, task_id, value, superseded_by)
     SELECT r.run_id, 'HEAD', e, n.name, l, t.task_id, n.base / (1 + e) + r.run_index % 10 / 100.0,
            CASE WHEN l < t.lease_epoch AND e = ${epochs} THEN t.lease_epoch END
       FROM runs r
       JOIN tasks t ON t.task_id = r.sweep_id || '-h' || r.run_index / 10
      CROSS JOIN generate_series(1, ${epochs}) e
      CROSS JOIN generate_series(1, t.lease_epoch) l
      CROSS JOIN (VALUES ('loss', 0.5), ('accuracy', 0.9), ('val_loss', 0.6), ('val_accuracy', 0.8), ('learning_rate', 0.001),
                         ('seconds', 2), ('images_per_second', 1000)) AS n (name, base)
      WHERE l = 1 OR e = ${epochs}`,
    `INSERT INTO checkpoints (checkpoint_id, run_id, task_id, lease_epoch, stage, epoch, kind, uri, sha256, size_bytes, value)
     SELECT r.run_id || k.kind, r.run_id, t.task_id, t.lease_epoch, 'HEAD', ${epochs}, k.kind, 'checkpoints/' || r.run_id || k.kind, 'x',
            1000000, r.best_value
       FROM runs r JOIN tasks t ON t.task_id = r.sweep_id || '-h' || r.run_index / 10, (VALUES ('BEST'), ('LAST')) AS k (kind)`,
    `INSERT INTO task_runs (task_id, run_id, position, state, role, source_checkpoint_id)
     SELECT sweep_id || '-e', run_id, run_index, 'SUCCEEDED', CASE run_index WHEN 0 THEN 'BASELINE' ELSE 'WINNER' END, run_id || 'BEST'
       FROM runs WHERE run_index < 2`,
    `INSERT INTO test_results (run_id, checkpoint_id, role, accuracy, accuracy_low, accuracy_high, loss, image_count, correct_count,
                               confusion_matrix)
     SELECT run_id, run_id || 'BEST', CASE run_index WHEN 0 THEN 'BASELINE' ELSE 'WINNER' END, 0.9, 0.88, 0.92, 0.3, 500, 450,
            '{225,25,25,225}'
       FROM runs WHERE run_index < 2`,
    `INSERT INTO test_predictions (run_id, path, label, predicted_label, probabilities)
     SELECT t.run_id, 'test/' || i || '.jpg', i % 2, CASE WHEN i % 10 = 0 THEN 1 - i % 2 ELSE i % 2 END,
            ARRAY[1 - (0.5 + i / 1002.0), 0.5 + i / 1002.0]
       FROM test_results t, generate_series(1, 500) i`,
    `INSERT INTO events (sweep_id, kind, payload)
     SELECT r.sweep_id, 'RUN_STATE', '{}' FROM runs r, generate_series(1, 4)`,
    'SET session_replication_role = origin',
    // Autovacuum would do the same a little later.
    'VACUUM ANALYZE',
  ]);
}
