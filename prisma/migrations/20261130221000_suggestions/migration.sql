-- Rounds of runs that a strategy asks for by the results of earlier ones, and how each run came into its sweep.

CREATE TABLE "suggestions" (
    "sweep_id" TEXT NOT NULL,
    "round" INTEGER NOT NULL,
    "position" INTEGER NOT NULL,
    "run_id" TEXT NOT NULL,
    "sampler" TEXT NOT NULL,
    "decision_id" BIGINT,
    "detail" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "suggestions_pkey" PRIMARY KEY ("sweep_id", "round", "position"),
    CONSTRAINT "suggestions_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "suggestions_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "suggestions_sweep_id_decision_id_fkey" FOREIGN KEY ("sweep_id", "decision_id") REFERENCES "decisions"("sweep_id", "decision_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "suggestions_place_check" CHECK ("round" >= 0 AND "position" >= 1)
);
CREATE UNIQUE INDEX "suggestions_run_id_key" ON "suggestions"("run_id");

ALTER TABLE "decisions" DROP CONSTRAINT "decisions_kind_check";
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_kind_check" CHECK ("kind" IN ('CONTINUE', 'STOP', 'PAUSE', 'PROMOTE', 'END', 'STOP_RUN', 'EXTEND', 'CHANGE_BUDGET', 'RETRY_RUN', 'PREEMPT', 'SUGGEST', 'SCREEN', 'REPEAT'));
ALTER TABLE "searches" DROP CONSTRAINT "searches_end_reason_check";
ALTER TABLE "searches" ADD CONSTRAINT "searches_end_reason_check" CHECK ("end_reason" IN ('ALL_DECIDED', 'BUDGET', 'WALL_TIME', 'TARGET', 'USER', 'SPACE_EXHAUSTED', 'PATIENCE'));

COMMENT ON TABLE "suggestions" IS 'How each run came into a sweep whose strategy asks for runs by the results of earlier ones: its round and its place in it. Runs that an extension adds as variants have no row.';
COMMENT ON COLUMN "suggestions"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "suggestions"."round" IS 'Number of the round, from 0. Round 0 was submitted with the sweep; each later one is a decision SUGGEST.';
COMMENT ON COLUMN "suggestions"."position" IS 'Place in the round, from 1, in the order in which the runs were asked for.';
COMMENT ON COLUMN "suggestions"."run_id" IS 'The run.';
COMMENT ON COLUMN "suggestions"."sampler" IS 'What asked for it: gp or tpe with its version, sobol, remaining (what is left of a finite space), variant (listed) or default (the baseline).';
COMMENT ON COLUMN "suggestions"."decision_id" IS 'Decision SUGGEST that added it, which has what the sampler knew; null: round 0.';
COMMENT ON COLUMN "suggestions"."detail" IS 'What the sampler expected of it, why no model chose it, and its group; `graft run explain` prints it.';

COMMENT ON COLUMN "decisions"."kind" IS 'At a rung: CONTINUE, STOP or PAUSE. About a paused run: PROMOTE. About the search: SUGGEST (a round of runs), REPEAT (a finalist, with further seeds), END. About backbones before training: SCREEN. By people and the scheduler: STOP_RUN, EXTEND, CHANGE_BUDGET, RETRY_RUN, PREEMPT.';
COMMENT ON COLUMN "decision_log"."kind" IS 'CONTINUE, STOP, PAUSE, PROMOTE, SCREEN, SUGGEST, REPEAT, END, or an action of a person or the scheduler.';
COMMENT ON COLUMN "searches"."end_reason" IS 'Why the search ended: ALL_DECIDED (nothing more can be promoted), SPACE_EXHAUSTED (every point is a run), PATIENCE (rounds without a better run), BUDGET, WALL_TIME, TARGET or USER; null: it continues, or no search was needed.';

CREATE VIEW "suggested_runs" AS
SELECT
    u.sweep_id,
    u.round,
    u.position,
    u.run_id,
    r.run_index,
    u.sampler,
    u.decision_id,
    (u.detail ->> 'scored')::integer AS scored_run_count,
    (u.detail -> 'predicted' ->> 'value')::double precision AS predicted_value,
    (u.detail -> 'predicted' ->> 'deviation')::double precision AS predicted_deviation,
    (u.detail ->> 'logImprovement')::double precision AS log_improvement,
    (u.detail ->> 'logRatio')::double precision AS log_density_ratio,
    u.detail ->> 'why' AS reason,
    (u.detail ->> 'group')::integer AS group_number,
    e.value AS head_value,
    r.state,
    r.best_value
FROM suggestions u
JOIN runs r ON r.run_id = u.run_id
LEFT JOIN LATERAL (
    SELECT n.value FROM rung_entries n
    JOIN rungs g ON g.sweep_id = n.sweep_id AND g.rung = n.rung
    WHERE n.run_id = u.run_id AND n.sweep_id = u.sweep_id AND g.stage = 'HEAD' AND g.epoch IS NULL
    LIMIT 1
) e ON true;
COMMENT ON VIEW "suggested_runs" IS 'The runs that a strategy has asked for, with what it expected and what came of it.';
COMMENT ON COLUMN "suggested_runs"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "suggested_runs"."round" IS 'Number of the round, from 0.';
COMMENT ON COLUMN "suggested_runs"."position" IS 'Place in the round, from 1.';
COMMENT ON COLUMN "suggested_runs"."run_id" IS 'The run.';
COMMENT ON COLUMN "suggested_runs"."run_index" IS 'Number within the sweep.';
COMMENT ON COLUMN "suggested_runs"."sampler" IS 'What asked for it: gp or tpe with its version, sobol, remaining, variant or default.';
COMMENT ON COLUMN "suggested_runs"."decision_id" IS 'Decision SUGGEST that added it; null: round 0.';
COMMENT ON COLUMN "suggested_runs"."scored_run_count" IS 'Results that the model knew; null: no model chose it.';
COMMENT ON COLUMN "suggested_runs"."predicted_value" IS 'The objective that a Gaussian process expected of it; null: none did.';
COMMENT ON COLUMN "suggested_runs"."predicted_deviation" IS 'Standard deviation of the expectation.';
COMMENT ON COLUMN "suggested_runs"."log_improvement" IS 'Logarithm of the expected improvement; null: no Gaussian process chose it.';
COMMENT ON COLUMN "suggested_runs"."log_density_ratio" IS 'Logarithm of the density of good runs there over that of the others; null: no Parzen estimator chose it.';
COMMENT ON COLUMN "suggested_runs"."reason" IS 'Why no model chose it, or why it opens a group of its own; null: the model chose it freely.';
COMMENT ON COLUMN "suggested_runs"."group_number" IS 'Group of the round that trains it, from 1.';
COMMENT ON COLUMN "suggested_runs"."head_value" IS 'The objective at the end of its head; null: it has not come there.';
COMMENT ON COLUMN "suggested_runs"."state" IS 'State of the run.';
COMMENT ON COLUMN "suggested_runs"."best_value" IS 'Best value of the objective so far.';

SELECT grant_reader();
