ALTER TABLE "rung_entries"
    ADD COLUMN "completed_epochs" INTEGER,
    ADD COLUMN "tie_order" INTEGER NOT NULL DEFAULT 0;
COMMENT ON COLUMN "rung_entries"."completed_epochs" IS 'Epochs of the stage that were trained by then; null: as many as planned.';
COMMENT ON COLUMN "rung_entries"."tie_order" IS 'Order among equal values, the lowest first, drawn from the seed of the sweep; 0 in sweeps that order them by run number.';

CREATE OR REPLACE VIEW "rung_places" AS
SELECT
    -- The first column of the partition, so that a condition on it is applied before ranking.
    e.sweep_id,
    e.rung,
    e.run_id,
    c.competes,
    row_number() OVER (
        PARTITION BY e.sweep_id, e.rung, c.competes
        ORDER BY
            CASE WHEN s.objective_goal = 'maximize' AND e.value <> 'NaN' THEN - e.value ELSE e.value END,
            e.tie_order,
            r.run_index
    )::integer AS place
FROM rung_entries e
JOIN rungs g ON g.sweep_id = e.sweep_id AND g.rung = e.rung
JOIN searches h ON h.sweep_id = e.sweep_id
JOIN sweeps s ON s.sweep_id = e.sweep_id
JOIN runs r ON r.run_id = e.run_id AND (r.state <> 'INFEASIBLE' OR (h.policy ->> 'synchronous')::boolean)
CROSS JOIN LATERAL (
    SELECT g.epoch IS NOT NULL
           OR g.stage = 'HEAD' AND COALESCE((r.parameters ->> 'fine_tune.enabled')::boolean, false) AS competes
) c;
COMMENT ON COLUMN "rung_places"."place" IS 'Place among the runs that compete, or among those that do not, from 1: the better value first, of equal ones the lower tie order, NaN last.';
COMMENT ON COLUMN "rung_tables"."place" IS 'Place now among the runs that compete, or among those that do not, from 1: the better value first, of equal ones the lower tie order.';
