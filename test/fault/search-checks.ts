import { EXPECTED, IN_EVERY, IN_SWEEPS } from './record-checks.ts';
import type { RecordCheck } from './record-checks.ts';

/** Decisions that a synchronous search makes in every order of events. Preemptions and the order of decisions depend on timing. */
const DECISIONS = `
  SELECT sweep_id, run_index, rung, kind, rule, place, cut, p_value, alpha, reason,
         row_number() OVER (PARTITION BY sweep_id, run_id, rung, kind ORDER BY decision_id) AS repetition
    FROM decision_log
   WHERE kind <> 'PREEMPT'`;

const ENTRIES = `
  SELECT e.sweep_id, r.run_index, e.rung, e.epoch, float8send(e.value) AS value, float8send(e.standard_error) AS standard_error,
         e.correct, e.losses
    FROM rung_entries e JOIN runs r USING (run_id)`;

const PARAMETERS = 'SELECT sweep_id, run_index, parameters FROM runs';

const VERDICTS = `('CONTINUE', 'STOP', 'PAUSE')`;

/** Invariants of searches: nothing is entered, judged or promoted twice, and nothing is lost. */
export const SEARCH_CHECKS: readonly RecordCheck[] = [
  {
    invariant: 'runs have the parameters of the undisturbed sweep',
    evidence: `FROM runs WHERE sweep_id ${IN_SWEEPS}`,
    unit: 'runs',
    violations: `
      SELECT format('run number %s of sweep %s: %s instead of %s', x.run_index, x.of_sweep, r.parameters, x.parameters) AS text
        FROM ${EXPECTED(PARAMETERS)} x
        LEFT JOIN (${PARAMETERS}) r ON r.sweep_id = x.of_sweep AND r.run_index = x.run_index
       WHERE r.parameters IS DISTINCT FROM x.parameters`,
  },
  {
    invariant: 'decisions are those of the undisturbed sweep, but for their order',
    evidence: `FROM (${DECISIONS}) d WHERE sweep_id ${IN_SWEEPS}`,
    unit: 'decisions',
    violations: `
      SELECT format('sweep %s, run %s at rung %s: %s instead of %s', coalesce(x.of_sweep, d.sweep_id), coalesce(x.run_index, d.run_index),
                    coalesce(x.rung, d.rung), coalesce(to_jsonb(d)::text, 'no decision'), coalesce(to_jsonb(x)::text, 'none')) AS text
        FROM ${EXPECTED(DECISIONS)} x
        FULL JOIN (SELECT * FROM (${DECISIONS}) e WHERE sweep_id ${IN_SWEEPS}) d
          ON d.sweep_id = x.of_sweep AND (coalesce(d.run_index, -1), coalesce(d.rung, -1), d.kind, d.repetition)
                                       = (coalesce(x.run_index, -1), coalesce(x.rung, -1), x.kind, x.repetition)
       WHERE (d.kind, d.rule, d.place, d.cut, d.p_value, d.alpha, d.reason)
             IS DISTINCT FROM (x.kind, x.rule, x.place, x.cut, x.p_value, x.alpha, x.reason)`,
  },
  {
    invariant: 'entries of rungs and their results by image are those of the undisturbed sweep, bit by bit',
    evidence: `FROM rung_entries WHERE sweep_id ${IN_SWEEPS}`,
    unit: 'entries',
    violations: `
      SELECT format('sweep %s, run %s at rung %s: %s instead of %s', coalesce(x.of_sweep, e.sweep_id), coalesce(x.run_index, e.run_index),
                    coalesce(x.rung, e.rung), coalesce(to_jsonb(e)::text, 'no entry'), coalesce(to_jsonb(x)::text, 'none')) AS text
        FROM ${EXPECTED(ENTRIES)} x
        FULL JOIN (SELECT * FROM (${ENTRIES}) o WHERE sweep_id ${IN_SWEEPS}) e
          ON e.sweep_id = x.of_sweep AND (e.run_index, e.rung) = (x.run_index, x.rung)
       WHERE (e.epoch, e.value, e.standard_error, e.correct, e.losses)
             IS DISTINCT FROM (x.epoch, x.value, x.standard_error, x.correct, x.losses)`,
  },
  {
    invariant: 'entries of a rung are numbered 1, 2, 3 …, and are those of its own sweep',
    evidence: `FROM rung_entries WHERE sweep_id ${IN_EVERY}`,
    unit: 'entries',
    violations: `
      SELECT format('rung %s of %s: %s entries, the last has number %s, the rung counts %s', g.rung, g.sweep_id, count(e.run_id),
                    max(e.arrival), g.entry_count) AS text
        FROM rungs g LEFT JOIN rung_entries e USING (sweep_id, rung)
       WHERE g.sweep_id ${IN_EVERY}
       GROUP BY g.sweep_id, g.rung, g.entry_count
      HAVING count(e.run_id) <> g.entry_count OR coalesce(max(e.arrival), 0) <> g.entry_count
      UNION ALL
      SELECT format('rung %s of %s has run %s of %s', e.rung, e.sweep_id, e.run_id, r.sweep_id)
        FROM rung_entries e JOIN runs r USING (run_id) WHERE e.sweep_id ${IN_EVERY} AND r.sweep_id <> e.sweep_id`,
  },
  {
    invariant: 'every entry at a rung of a ladder has one verdict, unless it came after the end of the search',
    evidence: `FROM decisions WHERE sweep_id ${IN_EVERY} AND kind IN ${VERDICTS}`,
    unit: 'verdicts',
    violations: `
      SELECT format('run %s at rung %s: %s verdicts', e.run_id, e.rung, count(d.decision_id)) AS text
        FROM rung_entries e
        JOIN searches s USING (sweep_id)
        LEFT JOIN decisions d ON d.sweep_id = e.sweep_id AND d.run_id = e.run_id AND d.rung = e.rung AND d.kind IN ${VERDICTS}
       WHERE e.sweep_id ${IN_EVERY} AND s.policy -> 'ladder' IS DISTINCT FROM '[]'
       GROUP BY e.run_id, e.rung, e.create_time, s.end_time
      HAVING count(d.decision_id) > 1 OR count(d.decision_id) = 0 AND (s.end_time IS NULL OR e.create_time < s.end_time)
      UNION ALL
      SELECT format('decision %s of %s judges run %s, which has no entry at rung %s', d.decision_id, d.sweep_id, d.run_id, d.rung)
        FROM decisions d
       WHERE d.sweep_id ${IN_EVERY} AND d.kind IN ${VERDICTS}
         AND NOT EXISTS (SELECT 1 FROM rung_entries e WHERE (e.sweep_id, e.run_id, e.rung) = (d.sweep_id, d.run_id, d.rung))`,
  },
  {
    invariant: 'decisions are numbered 1, 2, 3 …, and a search that has ended ends with END',
    evidence: `FROM decisions WHERE sweep_id ${IN_EVERY}`,
    unit: 'decisions',
    violations: `
      SELECT format('%s: %s decisions, the last has number %s, the search counts %s', s.sweep_id, count(d.decision_id),
                    max(d.decision_id), s.decision_count) AS text
        FROM searches s LEFT JOIN decisions d USING (sweep_id)
       WHERE s.sweep_id ${IN_EVERY}
       GROUP BY s.sweep_id, s.decision_count
      HAVING count(d.decision_id) <> s.decision_count OR coalesce(max(d.decision_id), 0) <> s.decision_count
      UNION ALL
      SELECT format('%s: ended by %s, %s decisions END or PROMOTE follow', s.sweep_id, coalesce(s.end_reason, 'nothing'), count(*))
        FROM searches s JOIN decisions d USING (sweep_id)
       WHERE s.sweep_id ${IN_EVERY} AND d.kind IN ('END', 'PROMOTE')
         AND d.decision_id >= (SELECT max(decision_id) FROM decisions e WHERE e.sweep_id = s.sweep_id AND e.kind = 'END')
       GROUP BY s.sweep_id, s.end_reason
      HAVING count(*) <> 1 OR s.end_reason IS NULL`,
  },
  {
    invariant: 'a run is promoted from a rung once, by one task, and none trains beyond the rung where it waited',
    evidence: `FROM decisions WHERE sweep_id ${IN_EVERY} AND kind = 'PROMOTE'`,
    unit: 'promotions',
    violations: `
      SELECT format('run %s is promoted %s times from rung %s', run_id, count(*), rung) AS text
        FROM decisions WHERE sweep_id ${IN_EVERY} AND kind = 'PROMOTE' GROUP BY run_id, rung HAVING count(*) > 1
      UNION ALL
      SELECT format('run %s: %s tasks of FINE_TUNE for %s promotions', r.run_id, count(DISTINCT t.task_id), count(DISTINCT d.rung))
        FROM runs r
        JOIN searches s ON s.sweep_id = r.sweep_id AND s.policy ->> 'rule' LIKE 'promotion@%'
        LEFT JOIN decisions d ON d.run_id = r.run_id AND d.kind = 'PROMOTE'
        LEFT JOIN (task_runs tr JOIN tasks t ON t.task_id = tr.task_id AND t.task_id ~ '-p[0-9]+-[0-9]+$') ON tr.run_id = r.run_id
       WHERE r.sweep_id ${IN_EVERY}
       GROUP BY r.run_id HAVING count(DISTINCT t.task_id) <> count(DISTINCT d.rung)
      UNION ALL
      SELECT format('run %s waited at epoch %s and has trained to %s', r.run_id, g.epoch, max(m.epoch))
        FROM runs r
        JOIN rungs g ON g.sweep_id = r.sweep_id AND g.rung = r.rung
        JOIN epoch_metrics m ON m.run_id = r.run_id AND m.stage = 'FINE_TUNE' AND m.superseded_by IS NULL
       WHERE r.sweep_id ${IN_EVERY} AND r.end_cause = 'NOT_PROMOTED'
       GROUP BY r.run_id, g.epoch, g.stage
      HAVING max(m.epoch) > CASE g.stage WHEN 'HEAD' THEN 0 ELSE g.epoch END`,
  },
];
