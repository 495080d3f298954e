-- Views for people, what they need to be fast, and the role that may read them and nothing else.

-- What a lost attempt cost is asked for by attempt; only few rows are ever superseded.
CREATE INDEX "epoch_metrics_superseded_idx" ON "epoch_metrics"("task_id", "lease_epoch", "run_id") WHERE "superseded_by" IS NOT NULL;
-- What was made from a checkpoint; only FINE_TUNE and EVALUATE start from one.
CREATE INDEX "task_runs_source_checkpoint_id_idx" ON "task_runs"("source_checkpoint_id") WHERE "source_checkpoint_id" IS NOT NULL;
-- Winners over all sweeps, however many other runs were evaluated.
CREATE INDEX "test_results_winner_idx" ON "test_results"("run_id") WHERE "role" = 'WINNER';

CREATE VIEW "sweep_summaries" AS
SELECT
    s.sweep_id,
    s.display_name,
    s.state,
    s.state_reason,
    s.objective_metric,
    s.objective_goal,
    s.varied_names,
    s.dataset_id,
    d.digest AS dataset_digest,
    d.path AS dataset_path,
    d.class_names,
    runs.run_count,
    runs.succeeded_count,
    runs.failed_count,
    work.attempt_count,
    work.slot_seconds,
    s.create_time,
    s.start_time,
    s.end_time
FROM sweeps s
LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS run_count,
        (count(*) FILTER (WHERE r.state = 'SUCCEEDED'))::integer AS succeeded_count,
        (count(*) FILTER (WHERE r.state IN ('FAILED', 'INFEASIBLE')))::integer AS failed_count
    FROM runs r
    WHERE r.sweep_id = s.sweep_id
) runs
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS attempt_count,
        COALESCE(EXTRACT(EPOCH FROM sum(COALESCE(a.end_time, now()) - a.create_time)), 0)::double precision AS slot_seconds
    FROM tasks t
    JOIN attempts a ON a.task_id = t.task_id
    WHERE t.sweep_id = s.sweep_id
) work;

COMMENT ON VIEW "sweep_summaries" IS 'One row per sweep: what it is, how far it came, what it cost.';
COMMENT ON COLUMN "sweep_summaries"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "sweep_summaries"."display_name" IS 'Name for people.';
COMMENT ON COLUMN "sweep_summaries"."state" IS 'ACTIVE, PAUSED, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN "sweep_summaries"."state_reason" IS 'Why it is in this state, in words.';
COMMENT ON COLUMN "sweep_summaries"."objective_metric" IS 'What its runs are ranked by: val_loss or val_accuracy.';
COMMENT ON COLUMN "sweep_summaries"."objective_goal" IS 'minimize or maximize.';
COMMENT ON COLUMN "sweep_summaries"."varied_names" IS 'Names of the parameters that differ between the runs.';
COMMENT ON COLUMN "sweep_summaries"."dataset_id" IS 'The data set; null until it is indexed.';
COMMENT ON COLUMN "sweep_summaries"."dataset_digest" IS 'Digest of its manifest.';
COMMENT ON COLUMN "sweep_summaries"."dataset_path" IS 'Its folder as the trainers saw it.';
COMMENT ON COLUMN "sweep_summaries"."class_names" IS 'Names of the classes; their place from 0 is the label.';
COMMENT ON COLUMN "sweep_summaries"."run_count" IS 'Its runs.';
COMMENT ON COLUMN "sweep_summaries"."succeeded_count" IS 'Runs that SUCCEEDED.';
COMMENT ON COLUMN "sweep_summaries"."failed_count" IS 'Runs that are FAILED or INFEASIBLE.';
COMMENT ON COLUMN "sweep_summaries"."attempt_count" IS 'Attempts of its tasks, lost ones included.';
COMMENT ON COLUMN "sweep_summaries"."slot_seconds" IS 'Seconds that slots were leased for it, lost attempts included; live ones up to now.';
COMMENT ON COLUMN "sweep_summaries"."create_time" IS 'When it was submitted.';
COMMENT ON COLUMN "sweep_summaries"."start_time" IS 'When the first task began.';
COMMENT ON COLUMN "sweep_summaries"."end_time" IS 'When it came to a final state.';

-- The table run_parameters has the name that such a view would have.
CREATE VIEW "run_parameter_values" AS
SELECT
    r.sweep_id,
    p.run_id,
    r.run_index,
    p.name,
    -- As the leaderboard writes it.
    COALESCE(p.number_value::text, p.int_value::text, p.bool_value::text, p.string_value) AS value,
    COALESCE(p.number_value, p.int_value::double precision) AS number,
    p.name = ANY (s.varied_names) AS varied
FROM runs r
JOIN sweeps s ON s.sweep_id = r.sweep_id
JOIN run_parameters p ON p.run_id = r.run_id;

COMMENT ON VIEW "run_parameter_values" IS 'One row per run and parameter, defaults included, whatever the type.';
COMMENT ON COLUMN "run_parameter_values"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "run_parameter_values"."run_id" IS 'The run.';
COMMENT ON COLUMN "run_parameter_values"."run_index" IS 'Number of the run within the sweep.';
COMMENT ON COLUMN "run_parameter_values"."name" IS 'Dotted name, for example optimizer.learning_rate.';
COMMENT ON COLUMN "run_parameter_values"."value" IS 'The value as text.';
COMMENT ON COLUMN "run_parameter_values"."number" IS 'The value of a real or whole-number parameter; null for the others.';
COMMENT ON COLUMN "run_parameter_values"."varied" IS 'Whether it differs between the runs of the sweep.';

CREATE VIEW "parameter_effects" AS
SELECT
    r.sweep_id,
    p.name,
    COALESCE(p.number_value::text, p.int_value::text, p.bool_value::text, p.string_value) AS value,
    COALESCE(p.number_value, p.int_value::double precision) AS number,
    s.objective_metric,
    count(*)::integer AS run_count,
    count(o.value)::integer AS counted_count,
    avg(o.value) AS mean_value,
    stddev_samp(o.value) AS deviation,
    CASE s.objective_goal WHEN 'maximize' THEN max(o.value) ELSE min(o.value) END AS best_value,
    (array_agg(
        r.run_id ORDER BY CASE s.objective_goal WHEN 'maximize' THEN - o.value ELSE o.value END, r.run_index
    ) FILTER (WHERE o.value IS NOT NULL))[1] AS best_run_id
FROM runs r
JOIN sweeps s ON s.sweep_id = r.sweep_id
JOIN run_parameters p ON p.run_id = r.run_id AND p.name = ANY (s.varied_names)
-- The runs that can win, as in the leaderboard; NaN would make every mean NaN.
CROSS JOIN LATERAL (
    SELECT CASE WHEN r.state NOT IN ('FAILED', 'CANCELLED', 'INFEASIBLE') THEN NULLIF(r.best_value, 'NaN') END AS value
) o
GROUP BY r.sweep_id, s.sweep_id, p.name, p.number_value, p.int_value, p.bool_value, p.string_value;

COMMENT ON VIEW "parameter_effects" IS 'One row per sweep, varied parameter and value: how the runs with this value did by validation. Other parameters differ among them as well: in a grid they cancel out, in a random sample only about.';
COMMENT ON COLUMN "parameter_effects"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "parameter_effects"."name" IS 'Dotted name of the parameter.';
COMMENT ON COLUMN "parameter_effects"."value" IS 'Its value as text.';
COMMENT ON COLUMN "parameter_effects"."number" IS 'The value of a real or whole-number parameter, to sort by; null for the others.';
COMMENT ON COLUMN "parameter_effects"."objective_metric" IS 'What the values are: val_loss or val_accuracy.';
COMMENT ON COLUMN "parameter_effects"."run_count" IS 'Runs that have this value.';
COMMENT ON COLUMN "parameter_effects"."counted_count" IS 'Those that count: not failed or cancelled, and with a best value that is a number. Runs that still train count with their best so far.';
COMMENT ON COLUMN "parameter_effects"."mean_value" IS 'Mean of their best values; null where none counts.';
COMMENT ON COLUMN "parameter_effects"."deviation" IS 'Standard deviation of their best values; null for fewer than two.';
COMMENT ON COLUMN "parameter_effects"."best_value" IS 'The best of them: highest or lowest, as the objective says.';
COMMENT ON COLUMN "parameter_effects"."best_run_id" IS 'The run with it; of equal ones the earlier.';

CREATE VIEW "run_attempts" AS
SELECT
    t.sweep_id,
    tr.run_id,
    r.run_index,
    t.stage,
    a.task_id,
    a.lease_epoch,
    a.trainer_id,
    a.slot_index,
    a.state,
    a.error_class,
    a.error_code,
    a.message,
    a.thread_count,
    a.create_time AS start_time,
    a.end_time,
    span.seconds,
    served.run_count::integer AS run_count,
    span.seconds / greatest(served.run_count, 1) AS run_seconds,
    lost.epochs AS lost_epochs,
    lost.seconds / greatest(served.run_count, 1) AS lost_seconds
FROM tasks t
JOIN attempts a ON a.task_id = t.task_id
LEFT JOIN task_runs tr ON tr.task_id = t.task_id
LEFT JOIN runs r ON r.run_id = tr.run_id
CROSS JOIN LATERAL (
    SELECT EXTRACT(EPOCH FROM COALESCE(a.end_time, now()) - a.create_time)::double precision AS seconds
) span
CROSS JOIN LATERAL (SELECT count(*) AS run_count FROM task_runs o WHERE o.task_id = t.task_id) served
CROSS JOIN LATERAL (
    SELECT
        count(DISTINCT m.epoch)::integer AS epochs,
        COALESCE(sum(m.value) FILTER (WHERE m.name = 'seconds'), 0) AS seconds
    FROM epoch_metrics m
    WHERE m.task_id = a.task_id AND m.lease_epoch = a.lease_epoch AND m.run_id = tr.run_id AND m.superseded_by IS NOT NULL
) lost;

COMMENT ON VIEW "run_attempts" IS 'One row per attempt and run it served: where, how it ended, how long it took, what was lost. Tasks that serve the sweep as a whole (INDEX, FEATURES) have one row per attempt without a run. The sum of run_seconds is slot time, however many runs shared an attempt.';
COMMENT ON COLUMN "run_attempts"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "run_attempts"."run_id" IS 'The run; null: the task serves the sweep as a whole.';
COMMENT ON COLUMN "run_attempts"."run_index" IS 'Number of the run within the sweep.';
COMMENT ON COLUMN "run_attempts"."stage" IS 'INDEX, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN "run_attempts"."task_id" IS 'The task.';
COMMENT ON COLUMN "run_attempts"."lease_epoch" IS 'The lease, from 1.';
COMMENT ON COLUMN "run_attempts"."trainer_id" IS 'The trainer.';
COMMENT ON COLUMN "run_attempts"."slot_index" IS 'The slot.';
COMMENT ON COLUMN "run_attempts"."state" IS 'LEASED, RUNNING, SUCCEEDED, RELEASED (handed back), FAILED or EXPIRED (taken back).';
COMMENT ON COLUMN "run_attempts"."error_class" IS 'INFRASTRUCTURE, MEMORY, PERMANENT, NUMERIC or COUNTED; null: no error.';
COMMENT ON COLUMN "run_attempts"."error_code" IS 'Name of the error.';
COMMENT ON COLUMN "run_attempts"."message" IS 'What happened, in words.';
COMMENT ON COLUMN "run_attempts"."thread_count" IS 'Intra-op threads it computed with.';
COMMENT ON COLUMN "run_attempts"."start_time" IS 'When it was leased.';
COMMENT ON COLUMN "run_attempts"."end_time" IS 'When it ended; null: it lives.';
COMMENT ON COLUMN "run_attempts"."seconds" IS 'Seconds from lease to end (or to now).';
COMMENT ON COLUMN "run_attempts"."run_count" IS 'Runs that the task serves.';
COMMENT ON COLUMN "run_attempts"."run_seconds" IS 'The run''s equal part of the seconds.';
COMMENT ON COLUMN "run_attempts"."lost_epochs" IS 'Epochs of the run that this attempt trained and a later one trained again.';
COMMENT ON COLUMN "run_attempts"."lost_seconds" IS 'The run''s equal part of the seconds of these epochs.';

CREATE VIEW "checkpoint_lineage" AS
SELECT
    r.sweep_id,
    c.run_id,
    r.run_index,
    c.checkpoint_id,
    c.stage,
    c.epoch,
    c.kind,
    c.state,
    c.value,
    c.stage = r.best_stage AND c.epoch = r.best_epoch AND c.kind = 'BEST' AS best_of_run,
    e.role AS test_role,
    COALESCE(resumed.checkpoint_id, tr.source_checkpoint_id) AS parent_checkpoint_id,
    CASE
        WHEN resumed.checkpoint_id IS NOT NULL THEN 'RESUMED'
        WHEN tr.source_checkpoint_id IS NOT NULL THEN 'STARTED_FROM'
        ELSE 'PRETRAINED'
    END AS origin,
    (
        SELECT w.value ->> 'digest'
        FROM jsonb_array_elements(CASE jsonb_typeof(s.weights) WHEN 'array' THEN s.weights ELSE '[]' END) w
        WHERE w.value ->> 'backbone' = r.parameters ->> 'backbone'
          AND COALESCE(w.value ->> 'weights', 'imagenet') = COALESCE(r.parameters ->> 'weights', 'imagenet')
        LIMIT 1
    ) AS weights_digest,
    d.digest AS dataset_digest,
    c.task_id,
    c.lease_epoch,
    a.trainer_id,
    a.slot_index,
    a.thread_count,
    c.uri,
    c.sha256,
    c.size_bytes,
    c.create_time,
    c.delete_time
FROM checkpoints c
JOIN runs r ON r.run_id = c.run_id
JOIN sweeps s ON s.sweep_id = r.sweep_id
LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
LEFT JOIN attempts a ON a.task_id = c.task_id AND a.lease_epoch = c.lease_epoch
LEFT JOIN task_runs tr ON tr.task_id = c.task_id AND tr.run_id = c.run_id
LEFT JOIN test_results e ON e.run_id = c.run_id AND e.checkpoint_id = c.checkpoint_id
-- What the attempt went on from. Files of earlier leases can't be registered once a later lease exists, and the resume point
-- is the one with the most epochs; that it has been deleted since does not matter here.
LEFT JOIN LATERAL (
    SELECT p.checkpoint_id
    FROM checkpoints p
    WHERE p.run_id = c.run_id AND p.stage = c.stage AND p.kind = 'LAST' AND p.lease_epoch < c.lease_epoch
    ORDER BY p.epoch DESC, p.create_time DESC
    LIMIT 1
) resumed ON true;

COMMENT ON VIEW "checkpoint_lineage" IS 'One row per checkpoint: what it was made from, by which attempt, and whether the run''s test result is its. Follow parent_checkpoint_id to the pretrained weights.';
COMMENT ON COLUMN "checkpoint_lineage"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "checkpoint_lineage"."run_id" IS 'The run.';
COMMENT ON COLUMN "checkpoint_lineage"."run_index" IS 'Number of the run within the sweep.';
COMMENT ON COLUMN "checkpoint_lineage"."checkpoint_id" IS 'The checkpoint.';
COMMENT ON COLUMN "checkpoint_lineage"."stage" IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN "checkpoint_lineage"."epoch" IS 'Epochs done in the stage when it was saved.';
COMMENT ON COLUMN "checkpoint_lineage"."kind" IS 'BEST (by validation so far) or LAST (training resumes from it).';
COMMENT ON COLUMN "checkpoint_lineage"."state" IS 'STORED, DELETING (the file may be gone) or DELETED.';
COMMENT ON COLUMN "checkpoint_lineage"."value" IS 'The objective''s value at that epoch.';
COMMENT ON COLUMN "checkpoint_lineage"."best_of_run" IS 'Whether it is of the run''s best epoch over all stages.';
COMMENT ON COLUMN "checkpoint_lineage"."test_role" IS 'Why it was evaluated on the test split: WINNER, BASELINE or EVERY_RUN; null: it was not.';
COMMENT ON COLUMN "checkpoint_lineage"."parent_checkpoint_id" IS 'The checkpoint that its attempt began from; null: from the pretrained weights.';
COMMENT ON COLUMN "checkpoint_lineage"."origin" IS 'RESUMED (the parent is of the same stage, saved by an earlier attempt), STARTED_FROM (the parent is the best of the stage before) or PRETRAINED (no parent).';
COMMENT ON COLUMN "checkpoint_lineage"."weights_digest" IS 'Digest of the pretrained weights of the run''s backbone; null until they are resolved.';
COMMENT ON COLUMN "checkpoint_lineage"."dataset_digest" IS 'Digest of the data set it was trained on.';
COMMENT ON COLUMN "checkpoint_lineage"."task_id" IS 'The task.';
COMMENT ON COLUMN "checkpoint_lineage"."lease_epoch" IS 'Lease of the task under which it was saved.';
COMMENT ON COLUMN "checkpoint_lineage"."trainer_id" IS 'The trainer.';
COMMENT ON COLUMN "checkpoint_lineage"."slot_index" IS 'The slot.';
COMMENT ON COLUMN "checkpoint_lineage"."thread_count" IS 'Intra-op threads it was computed with.';
COMMENT ON COLUMN "checkpoint_lineage"."uri" IS 'Place in the artifact store.';
COMMENT ON COLUMN "checkpoint_lineage"."sha256" IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN "checkpoint_lineage"."size_bytes" IS 'Size of the file.';
COMMENT ON COLUMN "checkpoint_lineage"."create_time" IS 'When it was registered.';
COMMENT ON COLUMN "checkpoint_lineage"."delete_time" IS 'When the file was deleted.';

CREATE VIEW "slot_utilisation" AS
SELECT
    k.trainer_id,
    k.slot_index,
    n.hostname,
    s.device_kind,
    s.device_name,
    n.state AS trainer_state,
    work.attempt_count,
    work.lost_count,
    work.first_time,
    work.last_time,
    work.busy_seconds,
    work.lost_seconds,
    work.busy_seconds / NULLIF(EXTRACT(EPOCH FROM work.last_time - work.first_time)::double precision, 0) AS busy_share
-- A trainer that comes back with fewer slots leaves attempts of slots that are no more.
FROM (SELECT trainer_id, slot_index FROM slots UNION SELECT trainer_id, slot_index FROM attempts) k
LEFT JOIN trainers n ON n.trainer_id = k.trainer_id
LEFT JOIN slots s ON s.trainer_id = k.trainer_id AND s.slot_index = k.slot_index
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS attempt_count,
        (count(*) FILTER (WHERE a.state IN ('EXPIRED', 'FAILED', 'RELEASED')))::integer AS lost_count,
        min(a.create_time) AS first_time,
        max(COALESCE(a.end_time, now())) AS last_time,
        COALESCE(EXTRACT(EPOCH FROM sum(COALESCE(a.end_time, now()) - a.create_time)), 0)::double precision AS busy_seconds,
        COALESCE(EXTRACT(EPOCH FROM sum(COALESCE(a.end_time, now()) - a.create_time)
            FILTER (WHERE a.state IN ('EXPIRED', 'FAILED', 'RELEASED'))), 0)::double precision AS lost_seconds
    FROM attempts a
    WHERE a.trainer_id = k.trainer_id AND a.slot_index = k.slot_index
) work;

COMMENT ON VIEW "slot_utilisation" IS 'One row per slot, also of those that are no more: how long it held tasks, and how much of the time since its first one.';
COMMENT ON COLUMN "slot_utilisation"."trainer_id" IS 'The trainer.';
COMMENT ON COLUMN "slot_utilisation"."slot_index" IS 'Number within the trainer, from 0.';
COMMENT ON COLUMN "slot_utilisation"."hostname" IS 'Host of the trainer.';
COMMENT ON COLUMN "slot_utilisation"."device_kind" IS 'cpu or gpu; null: the trainer no longer offers the slot.';
COMMENT ON COLUMN "slot_utilisation"."device_name" IS 'As the device calls itself.';
COMMENT ON COLUMN "slot_utilisation"."trainer_state" IS 'READY, DRAINING or LOST.';
COMMENT ON COLUMN "slot_utilisation"."attempt_count" IS 'Attempts it made.';
COMMENT ON COLUMN "slot_utilisation"."lost_count" IS 'Those that did not succeed: EXPIRED, FAILED or RELEASED.';
COMMENT ON COLUMN "slot_utilisation"."first_time" IS 'Its first lease; null: it never had one.';
COMMENT ON COLUMN "slot_utilisation"."last_time" IS 'End of its last attempt; now, while one lives.';
COMMENT ON COLUMN "slot_utilisation"."busy_seconds" IS 'Seconds it held a lease.';
COMMENT ON COLUMN "slot_utilisation"."lost_seconds" IS 'Those of attempts that did not succeed; what they had saved is not lost.';
COMMENT ON COLUMN "slot_utilisation"."busy_share" IS 'Part of the time from first_time to last_time that it held a lease, 0 to 1.';

CREATE VIEW "feature_set_uses" AS
SELECT
    f.feature_key,
    f.backbone,
    f.cut,
    f.image_size,
    f.pooling,
    f.split,
    f.state,
    f.row_count,
    f.size_bytes,
    f.compute_seconds,
    f.dataset_digest,
    f.weights_digest,
    t.sweep_id,
    u.task_id,
    t.stage,
    u.task_id IS NOT DISTINCT FROM f.computed_by_task_id AS computed_here
FROM feature_sets f
JOIN task_feature_sets u ON u.feature_key = f.feature_key
JOIN tasks t ON t.task_id = u.task_id;

COMMENT ON VIEW "feature_set_uses" IS 'One row per feature set and task that computes or reads it.';
COMMENT ON COLUMN "feature_set_uses"."feature_key" IS 'SHA-256 over everything the outputs depend on.';
COMMENT ON COLUMN "feature_set_uses"."backbone" IS 'The backbone.';
COMMENT ON COLUMN "feature_set_uses"."cut" IS 'Layer the prefix ends with; null: the whole base.';
COMMENT ON COLUMN "feature_set_uses"."image_size" IS 'Height and width of the images in pixels.';
COMMENT ON COLUMN "feature_set_uses"."pooling" IS 'avg, max or none.';
COMMENT ON COLUMN "feature_set_uses"."split" IS 'train, validation or test.';
COMMENT ON COLUMN "feature_set_uses"."state" IS 'PLANNED or COMPUTED.';
COMMENT ON COLUMN "feature_set_uses"."row_count" IS 'Images.';
COMMENT ON COLUMN "feature_set_uses"."size_bytes" IS 'Size of the file.';
COMMENT ON COLUMN "feature_set_uses"."compute_seconds" IS 'Seconds it took to compute.';
COMMENT ON COLUMN "feature_set_uses"."dataset_digest" IS 'Digest of the data set.';
COMMENT ON COLUMN "feature_set_uses"."weights_digest" IS 'Digest of the backbone''s weights.';
COMMENT ON COLUMN "feature_set_uses"."sweep_id" IS 'Sweep of the task.';
COMMENT ON COLUMN "feature_set_uses"."task_id" IS 'The task.';
COMMENT ON COLUMN "feature_set_uses"."stage" IS 'FEATURES: the task is to compute it; else it reads it.';
COMMENT ON COLUMN "feature_set_uses"."computed_here" IS 'Whether this task computed the stored file.';

CREATE VIEW "test_answers" AS
SELECT
    r.sweep_id,
    p.run_id,
    r.run_index,
    e.role AS test_role,
    p.path,
    p.label,
    d.class_names[p.label + 1] AS class_name,
    p.predicted_label,
    d.class_names[p.predicted_label + 1] AS predicted_class_name,
    p.predicted_label = p.label AS correct,
    p.probabilities[p.predicted_label + 1] AS probability,
    p.probabilities
FROM test_predictions p
JOIN test_results e ON e.run_id = p.run_id
JOIN runs r ON r.run_id = p.run_id
JOIN sweeps s ON s.sweep_id = r.sweep_id
LEFT JOIN datasets d ON d.dataset_id = s.dataset_id;

COMMENT ON VIEW "test_answers" IS 'One row per evaluated run and test image: what the run''s best checkpoint says of it.';
COMMENT ON COLUMN "test_answers"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "test_answers"."run_id" IS 'The run.';
COMMENT ON COLUMN "test_answers"."run_index" IS 'Number of the run within the sweep.';
COMMENT ON COLUMN "test_answers"."test_role" IS 'Why the run was evaluated: WINNER, BASELINE or EVERY_RUN.';
COMMENT ON COLUMN "test_answers"."path" IS 'Path of the image within the data set.';
COMMENT ON COLUMN "test_answers"."label" IS 'True label.';
COMMENT ON COLUMN "test_answers"."class_name" IS 'True class.';
COMMENT ON COLUMN "test_answers"."predicted_label" IS 'Called label.';
COMMENT ON COLUMN "test_answers"."predicted_class_name" IS 'Called class.';
COMMENT ON COLUMN "test_answers"."correct" IS 'Whether the two are the same.';
COMMENT ON COLUMN "test_answers"."probability" IS 'Probability of the called class.';
COMMENT ON COLUMN "test_answers"."probabilities" IS 'Probability of each class.';

-- Who may read. The views read the tables with their owner's rights, so the role needs none on a table. A migration that makes a
-- view replaces this function, with the view in the list, and calls it as below.
CREATE FUNCTION "grant_reader"() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    GRANT USAGE ON SCHEMA public TO graft_reader;
    GRANT SELECT ON
        leaderboard, epoch_curves, sweep_summaries, run_parameter_values, parameter_effects, run_attempts,
        checkpoint_lineage, slot_utilisation, feature_set_uses, test_answers
    TO graft_reader;
END
$$;
COMMENT ON FUNCTION "grant_reader"() IS 'Lets the role graft_reader read every view of Graft. For the owner of the views, after the role was made by hand.';
REVOKE EXECUTE ON FUNCTION "grant_reader"() FROM PUBLIC;

-- A role is one for all databases of a server: it may be there already, be made at this moment by another database's migration,
-- or be left behind by one that was dropped. Nobody needs it to train, so that it can't be made is no reason to fail.
DO $$
BEGIN
    IF to_regrole('graft_reader') IS NULL THEN
        BEGIN
            CREATE ROLE graft_reader NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'The role graft_reader was not made, because % may not create roles. Have an administrator run CREATE ROLE graft_reader NOLOGIN, then run SELECT grant_reader() in this database.', current_user;
                RETURN;
        END;
    END IF;
    PERFORM grant_reader();
END
$$;
