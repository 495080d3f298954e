-- The Pareto front of a sweep: the runs that no smaller run equals, by the objective on the validation images, bytes and operations.

CREATE FUNCTION bit_values(data bytea, value_count integer) RETURNS double precision[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT array_agg(get_bit(data, i)::double precision ORDER BY i)
    FROM generate_series(0, LEAST(value_count, 8 * length(data)) - 1) AS i
);
COMMENT ON FUNCTION "bit_values"(bytea, integer) IS 'Bits of a byte string as 0 or 1, the lowest bit of a byte first.';

CREATE FUNCTION float32_values(data bytea) RETURNS double precision[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT array_agg(
        CASE
            WHEN exponent = 255 THEN 'NaN'::double precision
            WHEN exponent = 0 THEN sign * mantissa * power(2::double precision, -149)
            ELSE sign * (8388608 + mantissa) * power(2::double precision, exponent - 150)
        END
        ORDER BY i
    )
    FROM (
        SELECT
            i,
            CASE WHEN high >= 128 THEN -1 ELSE 1 END AS sign,
            (high & 127) * 2 + middle / 128 AS exponent,
            (middle & 127) * 65536 + low AS mantissa
        FROM (
            SELECT
                i,
                get_byte(data, 4 * i + 3) AS high,
                get_byte(data, 4 * i + 2) AS middle,
                get_byte(data, 4 * i + 1) * 256 + get_byte(data, 4 * i) AS low
            FROM generate_series(0, length(data) / 4 - 1) AS i
        ) bytes
    ) parts
);
COMMENT ON FUNCTION "float32_values"(bytea) IS 'Numbers of a byte string of little-endian float32; infinities are NaN.';

CREATE FUNCTION paired_standard_error(first double precision[], second double precision[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT CASE WHEN cardinality(first) = cardinality(second) THEN stddev_samp(a - b) / sqrt(count(*)) END
    FROM unnest(first, second) AS pairs(a, b)
);
COMMENT ON FUNCTION "paired_standard_error"(double precision[], double precision[]) IS 'Standard error of the difference of two means over the same images; null: unknown.';

CREATE VIEW "pareto_front" AS
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
        WHERE r.sweep_id = s.sweep_id AND r.model_bytes IS NOT NULL AND r.flops IS NOT NULL
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
COMMENT ON VIEW "pareto_front" IS 'The runs of each sweep that no smaller one equals, the smallest first: no other run has as good a value of the objective on the validation images with as few bytes and operations. A run that is better than a smaller one of the front by at most one paired standard error is left out.';
COMMENT ON COLUMN "pareto_front"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "pareto_front"."place" IS 'Place by bytes, then by operations, from 1.';
COMMENT ON COLUMN "pareto_front"."run_id" IS 'The run.';
COMMENT ON COLUMN "pareto_front"."run_index" IS 'Number within the sweep.';
COMMENT ON COLUMN "pareto_front"."objective_metric" IS 'Metric of the objective.';
COMMENT ON COLUMN "pareto_front"."best_value" IS 'Best value of the objective, on the validation images.';
COMMENT ON COLUMN "pareto_front"."standard_error" IS 'Standard error of the value over the validation images; null: unknown, and the run has no band.';
COMMENT ON COLUMN "pareto_front"."model_bytes" IS 'Bytes of the weights of the exported model in float32.';
COMMENT ON COLUMN "pareto_front"."parameter_count" IS 'Parameters of the model.';
COMMENT ON COLUMN "pareto_front"."flops" IS 'Operations of a forward pass of one image, 2 per multiply-add.';
COMMENT ON COLUMN "pareto_front"."tied_run_indexes" IS 'Numbers of larger runs that are left out because they are better by at most one paired standard error.';

SELECT grant_reader();
