-- Metrics that treat all classes alike: of epochs, as the ranking criterion, and of test results.

ALTER TABLE "test_results" ADD COLUMN "macro_f1" DOUBLE PRECISION;
ALTER TABLE "test_results" ADD COLUMN "balanced_accuracy" DOUBLE PRECISION;
-- Classes that neither occur nor are predicted don't count in macro F1, classes that don't occur in balanced accuracy.
UPDATE "test_results" t
   SET macro_f1 = (
           SELECT avg(c.f1)
             FROM test_class_results c
            WHERE c.run_id = t.run_id
              AND (c.support > 0 OR EXISTS (
                      SELECT FROM unnest(t.confusion_matrix) WITH ORDINALITY AS m (image_count, place)
                       WHERE m.image_count > 0
                         AND (m.place - 1) % (SELECT count(*) FROM test_class_results n WHERE n.run_id = t.run_id) = c.class_index
                  ))
       ),
       balanced_accuracy = (
           SELECT avg(c.recall) FROM test_class_results c WHERE c.run_id = t.run_id AND c.support > 0
       );
-- After the update, which may take seconds: this lock stops everything that reads sweeps.
ALTER TABLE "sweeps" DROP CONSTRAINT "sweeps_objective_metric_check";
ALTER TABLE "sweeps" ADD CONSTRAINT "sweeps_objective_metric_check"
    CHECK ("objective_metric" IN ('val_loss', 'val_accuracy', 'val_macro_f1', 'val_balanced_accuracy', 'val_auc'));

COMMENT ON COLUMN "test_results"."macro_f1" IS 'Mean F1 of the classes, 0 to 1.';
COMMENT ON COLUMN "test_results"."balanced_accuracy" IS 'Mean recall of the classes, 0 to 1.';
COMMENT ON COLUMN "test_results"."roc_auc" IS 'Area under the ROC curve; for more than two classes the mean over the classes, each against the others. Null where it is undefined, and for more than two classes in earlier results.';

COMMENT ON COLUMN "leaderboard"."objective_metric" IS 'Metric of best_value and last_value: val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy or val_auc.';

CREATE OR REPLACE VIEW "epoch_curves" AS
SELECT
    r.sweep_id,
    r.run_id,
    r.run_index,
    m.stage,
    m.epoch,
    max(m.value) FILTER (WHERE m.name = 'loss') AS loss,
    max(m.value) FILTER (WHERE m.name = 'accuracy') AS accuracy,
    max(m.value) FILTER (WHERE m.name = 'val_loss') AS val_loss,
    max(m.value) FILTER (WHERE m.name = 'val_accuracy') AS val_accuracy,
    max(m.value) FILTER (WHERE m.name = 'learning_rate') AS learning_rate,
    max(m.value) FILTER (WHERE m.name = 'seconds') AS seconds,
    max(m.value) FILTER (WHERE m.name = 'images_per_second') AS images_per_second,
    r.trained_run_id,
    max(m.value) FILTER (WHERE m.name = 'val_macro_f1') AS val_macro_f1,
    max(m.value) FILTER (WHERE m.name = 'val_balanced_accuracy') AS val_balanced_accuracy,
    max(m.value) FILTER (WHERE m.name = 'val_auc') AS val_auc
FROM (
    SELECT o.sweep_id, o.run_id, o.run_index, o.run_id AS trained_run_id, false AS shared FROM runs o
    UNION ALL
    SELECT f.sweep_id, f.run_id, f.run_index, f.head_run_id, true FROM runs f WHERE f.head_run_id IS NOT NULL
) r
JOIN epoch_metrics m ON m.run_id = r.trained_run_id AND (NOT r.shared OR m.stage = 'HEAD')
WHERE m.superseded_by IS NULL
GROUP BY r.sweep_id, r.run_id, r.run_index, r.trained_run_id, m.stage, m.epoch;
COMMENT ON COLUMN "epoch_curves"."val_macro_f1" IS 'Mean F1 of the classes on the validation split, 0 to 1; null: not recorded.';
COMMENT ON COLUMN "epoch_curves"."val_balanced_accuracy" IS 'Mean recall of the classes on the validation split, 0 to 1; null: not recorded.';
COMMENT ON COLUMN "epoch_curves"."val_auc" IS 'Area under the ROC curve on the validation split, for more than two classes the mean over them; null: not recorded.';

COMMENT ON COLUMN "epoch_metrics"."name" IS 'loss, accuracy, val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy, val_auc, learning_rate, seconds or images_per_second.';
COMMENT ON COLUMN "parameter_effects"."objective_metric" IS 'Metric of the values: val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy or val_auc.';
COMMENT ON COLUMN "sweep_summaries"."objective_metric" IS 'Ranking criterion of its runs: val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy or val_auc.';
COMMENT ON COLUMN "sweeps"."objective_metric" IS 'Ranking criterion of runs, measured on the validation split: val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy or val_auc.';

SELECT grant_reader();
