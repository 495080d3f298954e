-- Places at rungs as the rules rank them: runs that have a further rung compete with each other, whatever became of them later.

CREATE VIEW "rung_places" AS
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
COMMENT ON VIEW "rung_places" IS 'The place of each run at each rung, as decisions rank them.';
COMMENT ON COLUMN "rung_places"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "rung_places"."rung" IS 'The rung.';
COMMENT ON COLUMN "rung_places"."run_id" IS 'The run. Infeasible runs have left their rungs, except in a synchronous sweep.';
COMMENT ON COLUMN "rung_places"."competes" IS 'True if the run has a further rung, for which it competes with the others.';
COMMENT ON COLUMN "rung_places"."place" IS 'Place among the runs that compete, or among those that do not, from 1: the better value first, of equal ones the lower number, NaN last.';

DROP VIEW "rung_tables";
CREATE VIEW "rung_tables" AS
SELECT
    p.sweep_id,
    p.rung,
    g.stage,
    g.epoch AS rung_epoch,
    p.place,
    p.run_id,
    r.run_index,
    r.state,
    e.value,
    e.standard_error,
    e.epoch,
    e.arrival,
    verdict.kind AS verdict,
    verdict.place AS verdict_place,
    verdict.cut AS verdict_cut,
    verdict.reason,
    EXISTS (
        SELECT 1 FROM decisions d
        WHERE d.sweep_id = p.sweep_id AND d.run_id = p.run_id AND d.rung = p.rung AND d.kind = 'PROMOTE'
    ) AS promoted,
    e.create_time,
    p.competes
FROM rung_places p
JOIN rung_entries e ON e.sweep_id = p.sweep_id AND e.rung = p.rung AND e.run_id = p.run_id
JOIN rungs g ON g.sweep_id = p.sweep_id AND g.rung = p.rung
JOIN runs r ON r.run_id = p.run_id
LEFT JOIN LATERAL (
    SELECT d.kind, d.place, d.cut, d.reason
    FROM decisions d
    WHERE d.sweep_id = p.sweep_id AND d.run_id = p.run_id AND d.rung = p.rung AND d.kind IN ('CONTINUE', 'STOP', 'PAUSE')
    ORDER BY d.decision_id
    LIMIT 1
) verdict ON true;
COMMENT ON VIEW "rung_tables" IS 'The runs at each rung of a sweep, best first, with the verdict of the rule.';
COMMENT ON COLUMN "rung_tables"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "rung_tables"."rung" IS 'The rung.';
COMMENT ON COLUMN "rung_tables"."stage" IS 'Stage of the rung.';
COMMENT ON COLUMN "rung_tables"."rung_epoch" IS 'Epoch of the rung; null: the end of the stage.';
COMMENT ON COLUMN "rung_tables"."place" IS 'Place now among the runs that compete, or among those that do not, from 1: the better value first, of equal ones the lower number.';
COMMENT ON COLUMN "rung_tables"."run_id" IS 'The run.';
COMMENT ON COLUMN "rung_tables"."run_index" IS 'Number within the sweep.';
COMMENT ON COLUMN "rung_tables"."state" IS 'State of the run.';
COMMENT ON COLUMN "rung_tables"."value" IS 'The objective there.';
COMMENT ON COLUMN "rung_tables"."standard_error" IS 'Standard error of the value; null: unknown.';
COMMENT ON COLUMN "rung_tables"."epoch" IS 'Epoch whose model was measured.';
COMMENT ON COLUMN "rung_tables"."arrival" IS 'Place in the order of arrival, from 1.';
COMMENT ON COLUMN "rung_tables"."verdict" IS 'CONTINUE, STOP or PAUSE; null: nothing was decided there.';
COMMENT ON COLUMN "rung_tables"."verdict_place" IS 'Place when the rule decided.';
COMMENT ON COLUMN "rung_tables"."verdict_cut" IS 'Last place that continued at that time.';
COMMENT ON COLUMN "rung_tables"."reason" IS 'Reason of the verdict.';
COMMENT ON COLUMN "rung_tables"."promoted" IS 'True if the run was promoted from the rung.';
COMMENT ON COLUMN "rung_tables"."create_time" IS 'When the run arrived.';
COMMENT ON COLUMN "rung_tables"."competes" IS 'True if the run has a further rung, for which it competes with the others.';

SELECT grant_reader();
