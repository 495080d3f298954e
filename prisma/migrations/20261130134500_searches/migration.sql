-- Searches: fixed points of training at which runs are compared, what was measured there, and each decision with its reason.

CREATE TABLE "searches" (
    "sweep_id" TEXT NOT NULL,
    "policy" JSONB NOT NULL,
    "decision_count" BIGINT NOT NULL DEFAULT 0,
    "end_reason" TEXT,
    "end_time" TIMESTAMPTZ(6),

    CONSTRAINT "searches_pkey" PRIMARY KEY ("sweep_id"),
    CONSTRAINT "searches_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "searches_end_reason_check" CHECK ("end_reason" IN ('ALL_DECIDED', 'BUDGET', 'WALL_TIME', 'TARGET', 'USER')),
    CONSTRAINT "searches_end_check" CHECK (("end_reason" IS NULL) = ("end_time" IS NULL))
);

CREATE TABLE "rungs" (
    "sweep_id" TEXT NOT NULL,
    "rung" INTEGER NOT NULL,
    "stage" TEXT NOT NULL,
    "epoch" INTEGER,
    "entry_count" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "rungs_pkey" PRIMARY KEY ("sweep_id", "rung"),
    CONSTRAINT "rungs_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "searches"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "rungs_stage_check" CHECK ("stage" IN ('HEAD', 'FINE_TUNE'))
);

CREATE TABLE "rung_entries" (
    "sweep_id" TEXT NOT NULL,
    "rung" INTEGER NOT NULL,
    "run_id" TEXT NOT NULL,
    "arrival" INTEGER NOT NULL,
    "value" DOUBLE PRECISION NOT NULL,
    "standard_error" DOUBLE PRECISION,
    "epoch" INTEGER NOT NULL,
    "task_id" TEXT NOT NULL,
    "lease_epoch" INTEGER NOT NULL,
    "correct" BYTEA,
    "losses" BYTEA,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "rung_entries_pkey" PRIMARY KEY ("sweep_id", "rung", "run_id"),
    CONSTRAINT "rung_entries_sweep_id_rung_fkey" FOREIGN KEY ("sweep_id", "rung") REFERENCES "rungs"("sweep_id", "rung") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "rung_entries_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION
);
CREATE UNIQUE INDEX "rung_entries_sweep_id_rung_arrival_key" ON "rung_entries"("sweep_id", "rung", "arrival");
CREATE INDEX "rung_entries_run_id_idx" ON "rung_entries"("run_id");

CREATE TABLE "decisions" (
    "sweep_id" TEXT NOT NULL,
    "decision_id" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "run_id" TEXT,
    "rung" INTEGER,
    "rule" TEXT NOT NULL DEFAULT '',
    "place" INTEGER,
    "cut" INTEGER,
    "p_value" DOUBLE PRECISION,
    "alpha" DOUBLE PRECISION,
    "inputs" JSONB NOT NULL DEFAULT '{}',
    "reason" TEXT NOT NULL DEFAULT '',
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "decisions_pkey" PRIMARY KEY ("sweep_id", "decision_id"),
    CONSTRAINT "decisions_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "searches"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "decisions_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "decisions_kind_check" CHECK ("kind" IN ('CONTINUE', 'STOP', 'PAUSE', 'PROMOTE', 'END', 'STOP_RUN', 'EXTEND', 'CHANGE_BUDGET', 'RETRY_RUN', 'PREEMPT'))
);
CREATE INDEX "decisions_run_id_idx" ON "decisions"("run_id");

ALTER TABLE "runs"
    ADD COLUMN "rung" INTEGER,
    ADD COLUMN "paused_rung" INTEGER,
    ADD COLUMN "end_cause" TEXT,
    ADD COLUMN "reused_run_id" TEXT,
    ADD CONSTRAINT "runs_end_cause_check" CHECK ("end_cause" IN ('ALL_EPOCHS', 'EARLY_STOPPING', 'RULE', 'NOT_PROMOTED', 'BUDGET', 'TARGET', 'USER', 'ERROR', 'REUSED'));

ALTER TABLE "tasks"
    ADD COLUMN "pause_epoch" INTEGER,
    ADD COLUMN "rung" INTEGER;

COMMENT ON TABLE "searches" IS 'The search of each planned sweep: how its runs are compared while they train. Its row is locked by whatever changes rungs, entries and decisions, so these have one order.';
COMMENT ON COLUMN "searches"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "searches"."policy" IS 'The rule with its version and all settings, as they were resolved at planning, and the epochs from which the rungs follow.';
COMMENT ON COLUMN "searches"."decision_count" IS 'Number of decisions; the next one has the next number.';
COMMENT ON COLUMN "searches"."end_reason" IS 'Why the search ended: ALL_DECIDED (nothing more can be promoted), BUDGET, WALL_TIME, TARGET or USER; null: it continues, or no search was needed.';
COMMENT ON COLUMN "searches"."end_time" IS 'Time of the end.';

COMMENT ON TABLE "rungs" IS 'Fixed points of training at which the runs of a sweep are compared, in order.';
COMMENT ON COLUMN "rungs"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "rungs"."rung" IS 'Position, from 0.';
COMMENT ON COLUMN "rungs"."stage" IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN "rungs"."epoch" IS 'Epoch of the stage; null: the end of the stage.';
COMMENT ON COLUMN "rungs"."entry_count" IS 'Runs that have reached it; the number of the last arrival.';

COMMENT ON TABLE "rung_entries" IS 'A run at a rung, with what was measured there. The first measurement counts: a later attempt that trains the epoch again changes nothing.';
COMMENT ON COLUMN "rung_entries"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "rung_entries"."rung" IS 'The rung.';
COMMENT ON COLUMN "rung_entries"."run_id" IS 'The run.';
COMMENT ON COLUMN "rung_entries"."arrival" IS 'Place in the order of arrival at the rung, from 1, without gaps.';
COMMENT ON COLUMN "rung_entries"."value" IS 'The objective there; at the end of a stage, that of its best epoch.';
COMMENT ON COLUMN "rung_entries"."standard_error" IS 'Standard error of the value over the validation images; null: unknown.';
COMMENT ON COLUMN "rung_entries"."epoch" IS 'Epoch whose model was measured.';
COMMENT ON COLUMN "rung_entries"."task_id" IS 'Task of the attempt that measured it.';
COMMENT ON COLUMN "rung_entries"."lease_epoch" IS 'Lease epoch of the attempt that measured it.';
COMMENT ON COLUMN "rung_entries"."correct" IS 'One bit per validation image in the order of the manifest, the lowest bit of a byte first: 1 if the prediction was right; null: not reported.';
COMMENT ON COLUMN "rung_entries"."losses" IS 'Loss of each validation image in the same order, as little-endian float32; null: not reported.';
COMMENT ON COLUMN "rung_entries"."create_time" IS 'When it was stored.';

COMMENT ON TABLE "decisions" IS 'What was decided about a sweep''s runs, by a rule or by a person, with everything that led to it. A replay with these inputs gives the same decisions.';
COMMENT ON COLUMN "decisions"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "decisions"."decision_id" IS 'Number within the sweep, from 1, without gaps.';
COMMENT ON COLUMN "decisions"."kind" IS 'At a rung: CONTINUE, STOP or PAUSE. About a paused run: PROMOTE. About the search: END. By people and the scheduler: STOP_RUN, EXTEND, CHANGE_BUDGET, RETRY_RUN, PREEMPT.';
COMMENT ON COLUMN "decisions"."run_id" IS 'The run; null: it is about the sweep.';
COMMENT ON COLUMN "decisions"."rung" IS 'The rung at which it was taken; null: at none.';
COMMENT ON COLUMN "decisions"."rule" IS 'Rule with its version, for example promotion@1; empty: no rule decided.';
COMMENT ON COLUMN "decisions"."place" IS 'Place of the run at the rung at that time, from 1; null: it was not ranked.';
COMMENT ON COLUMN "decisions"."cut" IS 'Last place that continues; null: there was no cut.';
COMMENT ON COLUMN "decisions"."p_value" IS 'Probability of such a difference between equally good runs, from images that both were tested on; null: no test was made.';
COMMENT ON COLUMN "decisions"."alpha" IS 'Probability below which the run was stopped; null: no test was made.';
COMMENT ON COLUMN "decisions"."inputs" IS 'What the decision depended on that is in no other row: entries seen by arrival, states, slots, seconds spent and forecast.';
COMMENT ON COLUMN "decisions"."reason" IS 'The reason for people.';
COMMENT ON COLUMN "decisions"."create_time" IS 'When it was taken.';

COMMENT ON COLUMN "runs"."rung" IS 'Highest rung that it has reached; null: none.';
COMMENT ON COLUMN "runs"."paused_rung" IS 'Rung at which it is paused until it is promoted; null: it is not paused at a rung.';
COMMENT ON COLUMN "runs"."end_cause" IS 'Why it ended: ALL_EPOCHS, EARLY_STOPPING (its own patience), RULE (a stopping rule), NOT_PROMOTED, BUDGET, TARGET, USER, ERROR or REUSED; null: it has not ended, or ended before causes were recorded.';
COMMENT ON COLUMN "runs"."reused_run_id" IS 'Run of another sweep whose result it took over; null: none.';
COMMENT ON COLUMN "tasks"."pause_epoch" IS 'Epoch after which its runs pause; null: it trains its stage to the end.';
COMMENT ON COLUMN "tasks"."rung" IS 'Rung that it trains to, where its runs wait at rungs to be promoted; else null.';

CREATE VIEW "rung_tables" AS
SELECT
    e.sweep_id,
    e.rung,
    g.stage,
    g.epoch AS rung_epoch,
    row_number() OVER (
        PARTITION BY e.sweep_id, e.rung
        ORDER BY
            r.state = 'FAILED',
            CASE WHEN s.objective_goal = 'maximize' AND e.value <> 'NaN' THEN - e.value ELSE e.value END,
            r.run_index
    )::integer AS place,
    e.run_id,
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
        SELECT 1 FROM decisions p
        WHERE p.sweep_id = e.sweep_id AND p.run_id = e.run_id AND p.rung = e.rung AND p.kind = 'PROMOTE'
    ) AS promoted,
    e.create_time
FROM rung_entries e
JOIN rungs g ON g.sweep_id = e.sweep_id AND g.rung = e.rung
JOIN runs r ON r.run_id = e.run_id AND r.state <> 'INFEASIBLE'
JOIN sweeps s ON s.sweep_id = e.sweep_id
LEFT JOIN LATERAL (
    SELECT d.kind, d.place, d.cut, d.reason
    FROM decisions d
    WHERE d.sweep_id = e.sweep_id AND d.run_id = e.run_id AND d.rung = e.rung AND d.kind IN ('CONTINUE', 'STOP', 'PAUSE')
    ORDER BY d.decision_id
    LIMIT 1
) verdict ON true;
COMMENT ON VIEW "rung_tables" IS 'The runs at each rung of a sweep, best first, with the verdict of the rule.';
COMMENT ON COLUMN "rung_tables"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "rung_tables"."rung" IS 'The rung.';
COMMENT ON COLUMN "rung_tables"."stage" IS 'Stage of the rung.';
COMMENT ON COLUMN "rung_tables"."rung_epoch" IS 'Epoch of the rung; null: the end of the stage.';
COMMENT ON COLUMN "rung_tables"."place" IS 'Place at the rung now, from 1: the better value first, of equal ones the lower number; failed runs last.';
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

CREATE VIEW "decision_log" AS
SELECT
    d.sweep_id,
    d.decision_id,
    d.create_time,
    d.kind,
    d.run_id,
    r.run_index,
    d.rung,
    g.stage,
    g.epoch AS rung_epoch,
    d.rule,
    d.place,
    d.cut,
    d.p_value,
    d.alpha,
    d.reason
FROM decisions d
LEFT JOIN runs r ON r.run_id = d.run_id
LEFT JOIN rungs g ON g.sweep_id = d.sweep_id AND g.rung = d.rung;
COMMENT ON VIEW "decision_log" IS 'Every decision of a sweep with its reason, in order.';
COMMENT ON COLUMN "decision_log"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "decision_log"."decision_id" IS 'Number within the sweep, from 1.';
COMMENT ON COLUMN "decision_log"."create_time" IS 'When it was taken.';
COMMENT ON COLUMN "decision_log"."kind" IS 'CONTINUE, STOP, PAUSE, PROMOTE, END, or an action of a person or the scheduler.';
COMMENT ON COLUMN "decision_log"."run_id" IS 'The run; null: it is about the sweep.';
COMMENT ON COLUMN "decision_log"."run_index" IS 'Number of the run within the sweep.';
COMMENT ON COLUMN "decision_log"."rung" IS 'The rung; null: none.';
COMMENT ON COLUMN "decision_log"."stage" IS 'Stage of the rung.';
COMMENT ON COLUMN "decision_log"."rung_epoch" IS 'Epoch of the rung; null: the end of the stage, or no rung.';
COMMENT ON COLUMN "decision_log"."rule" IS 'Rule with its version; empty: no rule decided.';
COMMENT ON COLUMN "decision_log"."place" IS 'Place of the run at the rung at that time.';
COMMENT ON COLUMN "decision_log"."cut" IS 'Last place that continued at that time.';
COMMENT ON COLUMN "decision_log"."p_value" IS 'Probability of such a difference between equally good runs; null: no test was made.';
COMMENT ON COLUMN "decision_log"."alpha" IS 'Probability below which the run was stopped; null: no test was made.';
COMMENT ON COLUMN "decision_log"."reason" IS 'The reason for people.';

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
    r.paused_rung
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
COMMENT ON COLUMN "leaderboard"."state_reason" IS 'Why it is in its state, for people; empty where the state says it.';
COMMENT ON COLUMN "leaderboard"."end_cause" IS 'Why it ended: ALL_EPOCHS, EARLY_STOPPING, RULE, NOT_PROMOTED, BUDGET, TARGET, USER, ERROR or REUSED; null: not ended, or unknown.';
COMMENT ON COLUMN "leaderboard"."rung" IS 'Highest rung that it has reached; null: none.';
COMMENT ON COLUMN "leaderboard"."paused_rung" IS 'Rung at which it is paused until it is promoted; null: at none.';

SELECT grant_reader();
