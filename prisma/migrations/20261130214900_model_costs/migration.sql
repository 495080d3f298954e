-- Costs of the model of a run, which follow from its parameters and the classes: written when the sweep is planned. Runs that were planned
-- before have none.

ALTER TABLE "runs"
    ADD COLUMN "model_bytes" BIGINT,
    ADD COLUMN "parameter_count" BIGINT,
    ADD COLUMN "flops" BIGINT;
COMMENT ON COLUMN "runs"."model_bytes" IS 'Bytes of the weights of the exported model in float32: the base up to its cut, and the head; null: not planned yet, or planned by an earlier version.';
COMMENT ON COLUMN "runs"."parameter_count" IS 'Parameters of this model as Keras counts them, statistics of batch normalizations included; null: as model_bytes.';
COMMENT ON COLUMN "runs"."flops" IS 'Operations of a forward pass of one image through this model, 2 per multiply-add, of convolutions and dense layers; null: as model_bytes.';

CREATE OR REPLACE VIEW "leaderboard" AS
SELECT
    -- The column of the partition, so that a condition on it is applied before ranking.
    r.sweep_id,
    row_number() OVER (
        PARTITION BY r.sweep_id
        ORDER BY run_rank_key(
            r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index
        )
    )::integer AS rank,
    r.run_id,
    r.run_index,
    r.state,
    COALESCE(varied.parameters, '') AS parameters,
    s.objective_metric,
    r.best_value,
    r.best_stage,
    r.best_epoch,
    r.best_val_loss,
    r.best_val_accuracy,
    r.last_value,
    t.accuracy AS test_accuracy,
    t.accuracy_low AS test_accuracy_low,
    t.accuracy_high AS test_accuracy_high,
    t.role AS test_role,
    EXTRACT(EPOCH FROM COALESCE(r.end_time, now()) - r.start_time)::double precision AS seconds,
    t.macro_f1 AS test_macro_f1,
    t.balanced_accuracy AS test_balanced_accuracy,
    t.roc_auc AS test_roc_auc,
    (SELECT array_agg(c.class_name ORDER BY c.class_index)
       FROM test_class_results c
      WHERE c.run_id = t.run_id AND c.recall = 0 AND c.support > 0) AS never_found_classes,
    r.notes,
    r.tags,
    r.state_reason,
    r.end_cause,
    r.rung,
    r.paused_rung,
    r.reused_run_id,
    t.checkpoint_id AS test_checkpoint_id,
    r.model_bytes,
    r.parameter_count,
    r.flops
FROM sweeps s
JOIN runs r ON r.sweep_id = s.sweep_id
LEFT JOIN test_results t ON t.run_id = r.run_id
LEFT JOIN LATERAL (
    SELECT string_agg(
        p.name || '=' || COALESCE(p.number_value::text, p.int_value::text, p.bool_value::text, p.string_value),
        ' ' ORDER BY v.place
    ) AS parameters
    FROM unnest(s.varied_names) WITH ORDINALITY AS v(name, place)
    JOIN run_parameters p ON p.run_id = r.run_id AND p.name = v.name
) varied ON true;
COMMENT ON COLUMN "leaderboard"."model_bytes" IS 'Bytes of the weights of the exported model in float32; null: not planned yet, or planned by an earlier version.';
COMMENT ON COLUMN "leaderboard"."parameter_count" IS 'Parameters of the model; null: as model_bytes.';
COMMENT ON COLUMN "leaderboard"."flops" IS 'Operations of a forward pass of one image, 2 per multiply-add; null: as model_bytes.';

SELECT grant_reader();
