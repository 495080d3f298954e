-- Finalists: runs that are trained again with further seeds, and the choice of the winner.

ALTER TABLE "runs"
    ADD COLUMN "repeat_of" TEXT,
    ADD CONSTRAINT "runs_repeat_of_check" CHECK ("repeat_of" <> "run_id"),
    ADD CONSTRAINT "runs_repeat_of_fkey" FOREIGN KEY ("repeat_of") REFERENCES "runs"("run_id");
CREATE INDEX "runs_repeat_of_idx" ON "runs"("repeat_of") WHERE "repeat_of" IS NOT NULL;
COMMENT ON COLUMN "runs"."repeat_of" IS 'Run of which it is another seed: left out of rankings, counted in the score of that run; null: it is none.';

ALTER TABLE "decisions" DROP CONSTRAINT "decisions_kind_check";
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_kind_check" CHECK ("kind" IN ('CONTINUE', 'STOP', 'PAUSE', 'PROMOTE', 'END', 'STOP_RUN', 'EXTEND', 'CHANGE_BUDGET', 'RETRY_RUN', 'PREEMPT', 'SUGGEST', 'SCREEN', 'FOLDS', 'REPEAT'));

CREATE TABLE "repeat_results" (
    "run_id" TEXT NOT NULL,
    "stage" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "value" DOUBLE PRECISION NOT NULL,
    "standard_error" DOUBLE PRECISION,
    "task_id" TEXT NOT NULL,
    "lease_epoch" INTEGER NOT NULL,
    "correct" BYTEA,
    "losses" BYTEA,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "repeat_results_pkey" PRIMARY KEY ("run_id", "stage"),
    CONSTRAINT "repeat_results_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id"),
    CONSTRAINT "repeat_results_stage_check" CHECK ("stage" IN ('HEAD', 'FINE_TUNE'))
);
COMMENT ON TABLE "repeat_results" IS 'Results by validation image of repeated runs at the ends of their stages. Such runs come to no rung.';
COMMENT ON COLUMN "repeat_results"."run_id" IS 'The run that trained the stage.';
COMMENT ON COLUMN "repeat_results"."stage" IS 'Stage that ended: HEAD or FINE_TUNE.';
COMMENT ON COLUMN "repeat_results"."epoch" IS 'Epoch of the stage whose model was measured: its best one.';
COMMENT ON COLUMN "repeat_results"."value" IS 'Value of the objective.';
COMMENT ON COLUMN "repeat_results"."standard_error" IS 'Standard error of the value over the validation images; null: unknown.';
COMMENT ON COLUMN "repeat_results"."task_id" IS 'Task that trained it.';
COMMENT ON COLUMN "repeat_results"."lease_epoch" IS 'Lease epoch of the attempt that reported it.';
COMMENT ON COLUMN "repeat_results"."correct" IS 'A bit per validation image in the order of the manifest, the lowest first: classified correctly; null: not reported.';
COMMENT ON COLUMN "repeat_results"."losses" IS 'Loss of each image, 32-bit floats, little-endian, where the objective is val_loss; null: not reported.';
COMMENT ON COLUMN "repeat_results"."create_time" IS 'Time of the report.';

CREATE TABLE "winners" (
    "sweep_id" TEXT NOT NULL,
    "run_id" TEXT NOT NULL,
    "rule" TEXT NOT NULL,
    "best_run_id" TEXT NOT NULL,
    "score" DOUBLE PRECISION NOT NULL,
    "measurement_count" INTEGER NOT NULL,
    "expected_score" DOUBLE PRECISION,
    "rival_count" INTEGER NOT NULL,
    "cheaper_run_id" TEXT,
    "cheaper_part" DOUBLE PRECISION,
    "cheaper_difference" DOUBLE PRECISION,
    "cheaper_difference_standard_error" DOUBLE PRECISION,
    "statements" TEXT[] NOT NULL,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "winners_pkey" PRIMARY KEY ("sweep_id"),
    CONSTRAINT "winners_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("sweep_id"),
    CONSTRAINT "winners_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id"),
    CONSTRAINT "winners_best_run_id_fkey" FOREIGN KEY ("best_run_id") REFERENCES "runs"("run_id"),
    CONSTRAINT "winners_cheaper_run_id_fkey" FOREIGN KEY ("cheaper_run_id") REFERENCES "runs"("run_id"),
    CONSTRAINT "winners_rule_check" CHECK ("rule" IN ('best', 'one_standard_error'))
);
COMMENT ON TABLE "winners" IS 'The winner of each sweep whose training has ended, chosen on the validation images before the test. A sweep that continues has none.';
COMMENT ON COLUMN "winners"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "winners"."run_id" IS 'The run that won. It is tested.';
COMMENT ON COLUMN "winners"."rule" IS 'best: the best score. one_standard_error: the cheapest run within one standard error of the best score.';
COMMENT ON COLUMN "winners"."best_run_id" IS 'Run with the best score; the winner itself under the rule best.';
COMMENT ON COLUMN "winners"."score" IS 'Mean of the objective over the trainings of the winner.';
COMMENT ON COLUMN "winners"."measurement_count" IS 'Number of these trainings: 1, or the seeds of a finalist that succeeded.';
COMMENT ON COLUMN "winners"."expected_score" IS 'Score that is expected on new images: without the luck of having been chosen; null: unknown.';
COMMENT ON COLUMN "winners"."rival_count" IS 'Number of runs whose place chance could have decided, the winner included.';
COMMENT ON COLUMN "winners"."cheaper_run_id" IS 'Smallest model that is not distinguishable from the winner; null: none is smaller.';
COMMENT ON COLUMN "winners"."cheaper_part" IS 'Bytes of that model, as a part of the winner''s.';
COMMENT ON COLUMN "winners"."cheaper_difference" IS 'Mean outcome of that model on the images minus the winner''s: accuracies, or losses where val_loss is the objective.';
COMMENT ON COLUMN "winners"."cheaper_difference_standard_error" IS 'Standard error of that difference, paired over the images.';
COMMENT ON COLUMN "winners"."statements" IS 'The choice with its numbers, in sentences for people.';
COMMENT ON COLUMN "winners"."create_time" IS 'Time of the choice.';

CREATE VIEW "run_scores" AS
SELECT
    o.sweep_id,
    o.run_id,
    o.run_index,
    m.score,
    m.standard_error,
    m.measurement_count,
    o.repeat_count,
    m.lowest,
    m.highest
FROM (
    SELECT p.sweep_id, p.repeat_of AS run_id, r.run_index, r.best_value, count(*)::integer AS repeat_count
    FROM runs p
    JOIN runs r ON r.run_id = p.repeat_of
    GROUP BY p.sweep_id, p.repeat_of, r.run_index, r.best_value
) o
CROSS JOIN LATERAL (
    SELECT
        avg(v.value) AS score,
        stddev_samp(v.value) / sqrt(count(*)) AS standard_error,
        count(*)::integer AS measurement_count,
        min(v.value) AS lowest,
        max(v.value) AS highest
    FROM (
        SELECT o.best_value AS value
        UNION ALL
        SELECT p.best_value FROM runs p WHERE p.repeat_of = o.run_id AND p.state = 'SUCCEEDED'
    ) v
    WHERE v.value NOT IN ('NaN', 'Infinity', '-Infinity')
) m;
COMMENT ON VIEW "run_scores" IS 'The score of each run that was repeated with further seeds.';
COMMENT ON COLUMN "run_scores"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "run_scores"."run_id" IS 'The run.';
COMMENT ON COLUMN "run_scores"."run_index" IS 'Number within the sweep.';
COMMENT ON COLUMN "run_scores"."score" IS 'Mean of the best value of the objective over the run and its repetitions that succeeded.';
COMMENT ON COLUMN "run_scores"."standard_error" IS 'Standard error of the score over these trainings; null: there is one.';
COMMENT ON COLUMN "run_scores"."measurement_count" IS 'Number of these trainings.';
COMMENT ON COLUMN "run_scores"."repeat_count" IS 'Number of repetitions, those that did not succeed included.';
COMMENT ON COLUMN "run_scores"."lowest" IS 'Lowest value of these trainings.';
COMMENT ON COLUMN "run_scores"."highest" IS 'Highest value of these trainings.';

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
) varied ON true
WHERE r.repeat_of IS NULL;

CREATE OR REPLACE VIEW "sweep_summaries" AS
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
    COALESCE((s.spec -> 'dataset') ->> 'path', d.path) AS dataset_path,
    d.class_names,
    runs.run_count,
    runs.succeeded_count,
    runs.failed_count,
    work.attempt_count,
    work.slot_seconds,
    s.create_time,
    s.start_time,
    s.end_time,
    runs.infeasible_count,
    runs.stopped_count,
    runs.cancelled_count,
    best.run_id AS best_run_id,
    s.notes,
    s.tags,
    runs.reused_count,
    runs.repeat_count,
    (SELECT w.run_id FROM winners w WHERE w.sweep_id = s.sweep_id) AS winner_run_id
FROM sweeps s
LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS run_count,
        (count(*) FILTER (WHERE r.state = 'SUCCEEDED'))::integer AS succeeded_count,
        (count(*) FILTER (WHERE r.state IN ('FAILED', 'INFEASIBLE')))::integer AS failed_count,
        (count(*) FILTER (WHERE r.state = 'INFEASIBLE'))::integer AS infeasible_count,
        (count(*) FILTER (WHERE r.state = 'STOPPED'))::integer AS stopped_count,
        (count(*) FILTER (WHERE r.state = 'CANCELLED'))::integer AS cancelled_count,
        count(r.reused_run_id)::integer AS reused_count,
        count(r.repeat_of)::integer AS repeat_count
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
) work
LEFT JOIN LATERAL (
    SELECT r.run_id
    FROM runs r
    CROSS JOIN LATERAL (
        SELECT run_rank_key(
            r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index
        ) AS rank_key
    ) k
    WHERE r.sweep_id = s.sweep_id AND r.repeat_of IS NULL AND k.rank_key[1] = 0 AND k.rank_key[2] = 0
    ORDER BY k.rank_key
    LIMIT 1
) best ON true;
COMMENT ON COLUMN "sweep_summaries"."repeat_count" IS 'Runs that repeat finalists with further seeds; included in run_count.';
COMMENT ON COLUMN "sweep_summaries"."winner_run_id" IS 'The run that the rule of the sweep chose, of the table winners; null: the sweep has not ended, or ended under an earlier version.';

CREATE OR REPLACE VIEW "parameter_effects" AS
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
    (array_agg(r.run_id ORDER BY k.rank_key) FILTER (WHERE o.value IS NOT NULL))[1] AS best_run_id
FROM runs r
JOIN sweeps s ON s.sweep_id = r.sweep_id
JOIN run_parameters p ON p.run_id = r.run_id AND p.name = ANY (s.varied_names)
CROSS JOIN LATERAL (
    SELECT run_rank_key(
        r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index
    ) AS rank_key
) k
-- The runs that can win, as in the leaderboard; NaN would make every mean NaN.
CROSS JOIN LATERAL (
    SELECT CASE WHEN k.rank_key[1] = 0 AND k.rank_key[2] = 0 THEN r.best_value END AS value
) o
WHERE r.repeat_of IS NULL
GROUP BY r.sweep_id, s.sweep_id, p.name, p.number_value, p.int_value, p.bool_value, p.string_value;

-- Repetitions are no runs of the front.
CREATE OR REPLACE VIEW "pareto_front" AS
SELECT
    s.sweep_id,
    front.place,
    front.run_id,
    front.run_index,
    s.objective_metric,
    front.best_value,
    front.standard_error,
    front.model_bytes,
    front.parameter_count,
    front.flops,
    front.tied_run_indexes
FROM sweeps s
-- Beside each sweep, so that a condition on it is applied before its runs are compared.
CROSS JOIN LATERAL (
    WITH RECURSIVE cheapest AS (
        -- The best run of each cost.
        SELECT DISTINCT ON (r.model_bytes, r.flops)
            r.run_id, r.run_index, r.best_value, r.best_stage, r.best_epoch, r.head_run_id, r.reused_run_id,
            r.model_bytes, r.parameter_count, r.flops,
            CASE WHEN s.objective_goal = 'maximize' THEN r.best_value ELSE - r.best_value END AS gain
        FROM runs r
        CROSS JOIN LATERAL (
            SELECT run_rank_key(
                r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index
            ) AS rank_key
        ) k
        WHERE r.sweep_id = s.sweep_id AND r.repeat_of IS NULL AND r.model_bytes IS NOT NULL AND r.flops IS NOT NULL
              AND k.rank_key[1] = 0 AND k.rank_key[2] = 0
        ORDER BY r.model_bytes, r.flops, k.rank_key
    ), undominated AS MATERIALIZED (
        SELECT c.*, row_number() OVER (ORDER BY c.model_bytes, c.flops)::integer AS number
        FROM cheapest c
        WHERE NOT EXISTS (
            SELECT 1 FROM cheapest o
            WHERE o.model_bytes <= c.model_bytes AND o.flops <= c.flops AND o.gain >= c.gain AND o.run_id <> c.run_id
        )
    ), measured AS MATERIALIZED (
        SELECT
            u.*,
            e.standard_error,
            CASE s.objective_metric
                WHEN 'val_accuracy' THEN bit_values(e.correct, (
                    SELECT sum((c.value ->> 'imageCount')::integer)::integer
                    FROM datasets d CROSS JOIN LATERAL jsonb_array_elements(d.class_counts) c
                    WHERE d.dataset_id = s.dataset_id AND c.value ->> 'split' = 'validation'
                ))
                WHEN 'val_loss' THEN float32_values(e.losses)
            END AS scores
        FROM undominated u
        LEFT JOIN LATERAL (
            -- The entry of its best epoch: its own, or that of the run that trained it.
            SELECT n.standard_error, n.correct, n.losses
            FROM rung_entries n
            JOIN rungs g ON g.sweep_id = n.sweep_id AND g.rung = n.rung
            LEFT JOIN runs o ON o.run_id = u.reused_run_id
            WHERE n.run_id IN (
                      u.run_id,
                      u.reused_run_id,
                      CASE WHEN g.stage = 'HEAD' THEN u.head_run_id END,
                      CASE WHEN g.stage = 'HEAD' THEN o.head_run_id END
                  )
                  AND g.stage = u.best_stage AND n.epoch = u.best_epoch
            ORDER BY n.correct IS NULL, n.run_id = u.run_id DESC
            LIMIT 1
        ) e ON true
    ), ties AS MATERIALIZED (
        SELECT a.number AS smaller, b.number AS larger
        FROM measured a
        JOIN measured b ON b.number > a.number AND a.model_bytes <= b.model_bytes AND a.flops <= b.flops
        WHERE b.gain - a.gain <= paired_standard_error(a.scores, b.scores)
    ), kept AS (
        -- From the smallest up: a run is left out if one that is kept is within the band.
        SELECT 0 AS number, ARRAY[]::integer[] AS numbers
        UNION ALL
        SELECT
            k.number + 1,
            CASE
                WHEN EXISTS (SELECT 1 FROM ties t WHERE t.larger = k.number + 1 AND t.smaller = ANY (k.numbers)) THEN k.numbers
                ELSE k.numbers || (k.number + 1)
            END
        FROM kept k
        WHERE k.number < (SELECT count(*) FROM undominated)
    ), chosen AS MATERIALIZED (
        SELECT numbers FROM kept ORDER BY number DESC LIMIT 1
    )
    SELECT
        row_number() OVER (ORDER BY m.number)::integer AS place,
        m.run_id,
        m.run_index,
        m.best_value,
        m.standard_error,
        m.model_bytes,
        m.parameter_count,
        m.flops,
        COALESCE((
            SELECT array_agg(b.run_index ORDER BY b.number)
            FROM ties t
            JOIN undominated b ON b.number = t.larger
            WHERE t.smaller = m.number AND b.number <> ALL (c.numbers)
        ), ARRAY[]::integer[]) AS tied_run_indexes
    FROM measured m
    JOIN chosen c ON m.number = ANY (c.numbers)
) front;

CREATE VIEW "sweep_winners" AS
SELECT
    w.sweep_id,
    s.display_name,
    w.run_id,
    r.run_index,
    w.rule,
    w.best_run_id,
    s.objective_metric,
    w.score,
    w.measurement_count,
    w.expected_score,
    w.rival_count,
    w.cheaper_run_id,
    w.cheaper_part,
    w.cheaper_difference,
    w.cheaper_difference_standard_error,
    t.accuracy AS test_accuracy,
    w.statements,
    w.create_time
FROM winners w
JOIN sweeps s ON s.sweep_id = w.sweep_id
JOIN runs r ON r.run_id = w.run_id
LEFT JOIN test_results t ON t.run_id = w.run_id;
COMMENT ON VIEW "sweep_winners" IS 'The winner of each sweep whose training has ended, chosen on the validation images before the test.';
COMMENT ON COLUMN "sweep_winners"."sweep_id" IS 'The sweep. One that continues has no winner.';
COMMENT ON COLUMN "sweep_winners"."display_name" IS 'Its current name.';
COMMENT ON COLUMN "sweep_winners"."run_id" IS 'The run that won. It is tested.';
COMMENT ON COLUMN "sweep_winners"."run_index" IS 'Number of that run within the sweep.';
COMMENT ON COLUMN "sweep_winners"."rule" IS 'best: the best score. one_standard_error: the cheapest run within one standard error of the best score.';
COMMENT ON COLUMN "sweep_winners"."best_run_id" IS 'Run with the best score; the winner itself under the rule best.';
COMMENT ON COLUMN "sweep_winners"."objective_metric" IS 'Metric of the scores.';
COMMENT ON COLUMN "sweep_winners"."score" IS 'Mean of the objective over the trainings of the winner.';
COMMENT ON COLUMN "sweep_winners"."measurement_count" IS 'Number of these trainings: 1, or the seeds of a finalist that succeeded.';
COMMENT ON COLUMN "sweep_winners"."expected_score" IS 'Score that is expected on new images: without the luck of having been chosen; null: unknown.';
COMMENT ON COLUMN "sweep_winners"."rival_count" IS 'Number of runs whose place chance could have decided, the winner included.';
COMMENT ON COLUMN "sweep_winners"."cheaper_run_id" IS 'Smallest model that is not distinguishable from the winner; null: none is smaller.';
COMMENT ON COLUMN "sweep_winners"."cheaper_part" IS 'Bytes of that model, as a part of the winner''s.';
COMMENT ON COLUMN "sweep_winners"."cheaper_difference" IS 'Mean outcome of that model on the images minus the winner''s: accuracies, or losses where val_loss is the objective.';
COMMENT ON COLUMN "sweep_winners"."cheaper_difference_standard_error" IS 'Standard error of that difference, paired over the images.';
COMMENT ON COLUMN "sweep_winners"."test_accuracy" IS 'Accuracy of the winner on the test split; null: not tested.';
COMMENT ON COLUMN "sweep_winners"."statements" IS 'The choice with its numbers, in sentences for people.';
COMMENT ON COLUMN "sweep_winners"."create_time" IS 'Time of the choice.';

SELECT grant_reader();
